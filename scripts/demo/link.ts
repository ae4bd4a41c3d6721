/**
 * Gives each resource its id in the source and points all references there. Pure but for the ids, which are an argument.
 *
 * Ids are given before anything is written, so that resources may come in any order and refer to each other in circles.
 */
import type { Identifier, Reference, Resource } from '@medplum/fhirtypes';
import type { Accepted } from './accept.ts';

/** A resource as it goes into the source. */
export interface Linked {
  readonly input: number;
  readonly index: number;
  readonly resource: Resource & { readonly id: string };
}

/** Where references of one input lead. */
export type Resolve = (input: number, reference: string) => string | undefined;

/**
 * Links resources. An address that occurs again (Synthea repeats its hospitals in every Bundle) is the same resource:
 * the first one counts.
 *
 * @param accepted - The resources of all inputs.
 * @param newId - Makes an id.
 * @returns The resources, how many were repetitions, and the way to resolve further references.
 */
export function link(
  accepted: readonly Accepted[],
  newId: () => string
): { readonly linked: Linked[]; readonly repeated: number; readonly resolve: Resolve } {
  const places = new Map<string, string>();
  const ambiguous = new Set<string>();
  const kept: { readonly from: Accepted; readonly id: string }[] = [];
  for (const from of accepted) {
    const addresses = addressesOf(from);
    if (addresses.some(({ address, isUnique }) => isUnique && places.has(address))) {
      continue;
    }
    const id = newId();
    for (const { address, shared } of addresses) {
      places.set(address, `${from.resource.resourceType}/${id}`);
      if (shared) {
        if (places.has(shared)) {
          ambiguous.add(shared);
        }
        places.set(shared, `${from.resource.resourceType}/${id}`);
      }
    }
    kept.push({ from, id });
  }
  for (const [address, place] of byIdentifier(kept)) {
    places.set(address, place);
  }

  const resolve: Resolve = (input, reference) => {
    const address = reference.replace(/\/_history\/[^/]*$/, '');
    return places.get(`${input} ${address}`) ?? (ambiguous.has(address) ? undefined : places.get(address));
  };
  const linked = kept.map(({ from: { input, index, resource }, id }): Linked => {
    const { meta, ...content } = relink(resource, (reference) => resolve(input, reference));
    const { versionId: _version, lastUpdated: _lastUpdated, ...kept } = meta ?? {};
    return {
      input,
      index,
      resource: { ...content, id, ...(Object.keys(kept).length > 0 && { meta: kept }) },
    };
  });
  return { linked, repeated: accepted.length - kept.length, resolve };
}

interface Address {
  readonly address: string;
  /** Two entries with this address are one resource. */
  readonly isUnique: boolean;
  /** The same address as other inputs see it: it may mean something else there. */
  readonly shared?: string;
}

function addressesOf({ input, fullUrl, resource: { resourceType, id } }: Accepted): Address[] {
  const relative = id ? `${resourceType}/${id}` : /^https?:.*\/([A-Z]\w+\/[\w.-]+)$/.exec(fullUrl ?? '')?.[1];
  return [
    ...(fullUrl ? [{ address: fullUrl, isUnique: true }] : []),
    ...(relative ? [{ address: `${input} ${relative}`, isUnique: true, shared: relative }] : []),
  ];
}

/** Conditional references (`Practitioner?identifier=system|value`) to what is in the input lead there. */
function byIdentifier(kept: readonly { readonly from: Accepted; readonly id: string }[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { from, id } of kept) {
    const { resourceType } = from.resource;
    const identifiers = [(from.resource as { identifier?: Identifier | Identifier[] }).identifier ?? []].flat();
    for (const { system = '', value } of identifiers) {
      if (value) {
        found.set(`${resourceType}?identifier=${system}|${value}`, `${resourceType}/${id}`);
      }
    }
  }
  return found;
}

/**
 * Replaces every reference of a resource, at any depth.
 *
 * @param value - The resource.
 * @param place - Where a reference leads, if anywhere.
 * @returns A copy.
 */
export function relink<T>(value: T, place: (reference: string) => string | undefined): T {
  if (Array.isArray(value)) {
    return value.map((item: unknown) => relink(item, place)) as T;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const copy: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    if (key === 'reference' && typeof child === 'string') {
      Object.assign(copy, pointed(child, place(child), value as Reference));
    } else {
      copy[key] ??= relink(child as unknown, place);
    }
  }
  return copy as T;
}

/** Medplum refuses a conditional reference that finds nothing: it becomes what it says, an identifier. */
function pointed(reference: string, place: string | undefined, whole: Reference): Reference {
  if (place || reference.startsWith('#')) {
    return { reference: place ?? reference };
  }
  const [type, query] = reference.split('?');
  if (query === undefined) {
    return { reference };
  }
  const [system, value] = decodeURIComponent(/(?:^|&)identifier=([^&]*)/.exec(query)?.[1] ?? '').split('|');
  const identifier = whole.identifier ?? (value ? { ...(system && { system }), value } : undefined);
  return { ...(identifier && { identifier }), ...(type && { type: type as NonNullable<Reference['type']> }) };
}
