/** What a search page of the replica says about our copies. */
import type { Bundle, Identifier } from '@medplum/fhirtypes';
import { V3_OBSERVATION_VALUE } from '../fhir/systems.ts';
import type { Systems } from '../fhir/systems.ts';
import { Fault } from '../observability/fault.ts';
import type { Copy, Inspected } from '../ports.ts';

/**
 * The copies on a page. A resource without a token of ours is nobody's copy and is left alone.
 *
 * @param page - A searchset Bundle.
 * @param systems - Our identifier systems.
 * @returns The copies.
 */
export function copiesOf(page: Bundle, systems: Systems): Copy[] {
  return inspectedOf(page, systems).map(({ content: _content, ...copy }) => copy);
}

/**
 * The same with contents. A copy that has lost its label counts as one without a digest: it differs from what it should be.
 *
 * @param page - A searchset Bundle.
 * @param systems - Our identifier systems.
 * @returns The copies.
 */
export function inspectedOf(page: Bundle, systems: Systems): Inspected[] {
  return (page.entry ?? []).flatMap(({ resource }) => {
    const { identifier } = (resource ?? {}) as Named;
    const token = identifier?.find(
      ({ system }) => system === systems.patientToken || system === systems.resourceToken
    )?.value;
    if (!resource?.id || !token) {
      return [];
    }
    const isLabelled = resource.meta?.security?.some(
      ({ system, code }) => system === V3_OBSERVATION_VALUE && code === 'PSEUDED'
    );
    const digest = isLabelled ? resource.meta?.tag?.find((tag) => tag.system === systems.digest)?.code : undefined;
    const references = referencesIn(resource);
    return [{ resourceType: resource.resourceType, id: resource.id, token, digest, references, content: resource }];
  });
}

interface Named {
  readonly identifier?: Identifier[];
}

/** What a copy refers to is the patient, an encounter, or a stub: all else in it is a logical reference. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  const { reference } = value as { readonly reference?: unknown };
  return typeof reference === 'string' ? [reference] : Object.values(value).flatMap(referencesIn);
}

/**
 * The next page, relative to the FHIR endpoint. Only the path of the link is used: whatever host it names, the
 * request goes where all others go.
 *
 * @param page - A searchset Bundle.
 * @param fhirUrl - The FHIR endpoint, with a trailing slash.
 * @returns A relative URL, or undefined at the end.
 * @throws Fault `replica-rejected` when the link does not lead to the endpoint.
 */
export function nextPage(page: Bundle, fhirUrl: string): string | undefined {
  const url = page.link?.find(({ relation }) => relation === 'next')?.url;
  if (!url) {
    return undefined;
  }
  const root = new URL(fhirUrl).pathname;
  const { pathname, search } = new URL(url, fhirUrl);
  if (!pathname.startsWith(root)) {
    throw new Fault('replica-rejected', ['a next link leads elsewhere']);
  }
  return pathname.slice(root.length) + search;
}
