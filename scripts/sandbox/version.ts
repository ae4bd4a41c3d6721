import type { WithId } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';

/** One stored version of a resource: its JSON text, and the same thing parsed and frozen. A tombstone has neither. */
export interface Version {
  readonly versionId: string;
  readonly lastUpdated: string;
  readonly text: string | undefined;
  readonly resource: WithId<Resource> | undefined;
}

const texts = new WeakMap<object, string>();

/** The JSON text of a stored resource if `value` is one, so that a response need not stringify what was just parsed. */
export function storedText(value: object): string | undefined {
  return texts.get(value);
}

/**
 * Makes a version from its JSON text. The round trip through text is the isolation: no caller keeps a reference into
 * the store, and freezing makes a mistake in the sandbox itself throw.
 */
export function makeVersion(text: string): Version & { readonly resource: WithId<Resource> } {
  const resource = deepFreeze(JSON.parse(text) as WithId<Resource>);
  texts.set(resource, text);
  return { versionId: resource.meta?.versionId ?? '', lastUpdated: resource.meta?.lastUpdated ?? '', text, resource };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) {
      deepFreeze(item);
    }
    Object.freeze(value);
  }
  return value;
}
