/** Who stands behind a resource: its authors (rules 15 and 21) and its custodians (rule 15). */
import type { Reference, Resource } from '@medplum/fhirtypes';
import type { Elements } from './facts.ts';
import { reduceReference, targetOf } from './reference.ts';
import type { Kind } from './three-valued.ts';

const AUTHORS = [
  'author',
  'performer',
  'recorder',
  'asserter',
  'requester',
  'informationSource',
  'enterer',
  'resultsInterpreter',
];
const CUSTODIANS = ['custodian', 'managingOrganization', 'serviceProvider'];

/**
 * The authors of a resource. The `performer` of an order is who shall act, not who wrote: it counts against, not for.
 *
 * @param resource - The resource.
 * @param kind - Whether they are asked for by a permit or a deny.
 * @returns Reduced references, undefined for an author that cannot be compared; empty if there are none.
 */
export function authorsOf(resource: Resource, kind: Kind): (string | undefined)[] {
  const isOrder = kind === 'permit' && 'intent' in resource;
  return targets(resource, isOrder ? AUTHORS.filter((name) => name !== 'performer') : AUTHORS);
}

/**
 * The custodians of a resource; `meta.source` counts if it is the URL of a resource.
 *
 * @param resource - The resource.
 * @returns As for authors.
 */
export function custodiansOf(resource: Resource): (string | undefined)[] {
  const source = reduceReference(resource.meta?.source ?? '');
  return [...targets(resource, CUSTODIANS), ...(/^[A-Z]\w+\/[^/]+$/.test(source) ? [source] : [])];
}

/** A backbone element holds its reference as `actor` (Procedure.performer). */
function targets(resource: Resource, names: readonly string[]): (string | undefined)[] {
  const elements = resource as unknown as Elements;
  return names
    .flatMap((name) => elements[name] ?? [])
    .map((value) => targetOf(((value as Elements).actor ?? value) as Reference));
}
