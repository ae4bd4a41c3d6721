/** Which patient of ours a patient of the partner is: a Basic in the source, so that nothing is written to the Patient. Pure. */
import type { Basic, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { keyOf } from './origin-key.ts';

/** How it came to be known: by the identifiers of a pulled record, by a certain match, or by a person. */
export type LinkedBy = 'pull' | 'match' | 'person';

/**
 * @param systems - Our systems.
 * @param organizationId - The partner.
 * @param partnerId - The id of the Patient there.
 * @param link - The Patient here, and how it is known.
 * @returns The link, to be made unless there is one: who is linked stays linked until a person says otherwise.
 */
export function partnerLink(
  systems: Systems,
  organizationId: string,
  partnerId: string,
  { patientId, by }: { readonly patientId: string; readonly by: LinkedBy }
): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.ingested, value: keyOf(organizationId, 'Patient', `id:${partnerId}`) }],
    code: { coding: [{ system: systems.control, code: 'partner-link' }] },
    subject: { reference: `Patient/${patientId}` },
    extension: [{ url: `${systems.namespace}/linked-by`, valueCode: by }],
  };
}

/**
 * @param systems - Our systems.
 * @param keys - Of patients of the partner, as of `keyOf`.
 * @returns A FHIR-relative search for their links.
 */
export function partnerLinksSearch(systems: Systems, keys: readonly string[]): string {
  const code = encodeURIComponent(`${systems.control}|partner-link`);
  const terms = keys.map((key) => encodeURIComponent(`${systems.ingested}|${key}`)).join(',');
  return `Basic?code=${code}&identifier=${terms}&_count=1000`;
}

/**
 * @param systems - Our systems.
 * @param resources - What the search found.
 * @returns The id of our Patient by key. A key with links to several is known to nobody.
 */
export function partnerLinksIn(systems: Systems, resources: readonly Resource[]): ReadonlyMap<string, string> {
  const found = new Map<string, Set<string>>();
  for (const resource of resources) {
    const { identifier = [], subject } = resource as Basic;
    const key = identifier.find(({ system }) => system === systems.ingested)?.value;
    const [type, id] = subject?.reference?.split('/') ?? [];
    if (key && type === 'Patient' && id) {
      found.set(key, (found.get(key) ?? new Set()).add(id));
    }
  }
  return new Map(
    [...found].flatMap(([key, [id, ...others]]) => (id && others.length === 0 ? [[key, id] as const] : []))
  );
}
