/** In which order the source gets the resources. Pure. */
import type { Encounter, Resource } from '@medplum/fhirtypes';
import { isReplicated } from '../../src/config/policy.ts';
import type { Linked } from './link.ts';

/** Resources that are written together before the bots are waited for. */
export interface Stage {
  readonly name: string;
  readonly records: readonly Linked[];
}

const NAMES: Readonly<Record<string, string>> = { Patient: 'Patients', Consent: 'Consents', Encounter: 'Encounters' };
const ORDER = ['Patients', 'Consents', 'Encounters', 'other records', 'clinical records'] as const;

/**
 * As in life: a patient comes, consents, visits, and is examined. The bots cope with any order, but with this one
 * a copy seldom has to wait for its parents.
 *
 * @param linked - The resources.
 * @returns The stages that are not empty.
 */
export function stagesOf(linked: readonly Linked[]): Stage[] {
  const groups = Map.groupBy(linked, ({ resource }) => stageOf(resource));
  return ORDER.map((name) => ({ name, records: (groups.get(name) ?? []).toSorted(wholesFirst) })).filter(
    ({ records }) => records.length > 0
  );
}

function stageOf(resource: Resource): (typeof ORDER)[number] {
  const named = NAMES[resource.resourceType] as (typeof ORDER)[number] | undefined;
  return named ?? (isReplicated(resource) ? 'clinical records' : 'other records');
}

/** An Encounter that is part of another comes after it. */
function wholesFirst(a: Linked, b: Linked): number {
  return Number(isPart(a)) - Number(isPart(b));
}

function isPart({ resource }: Linked): boolean {
  return (resource as Encounter).partOf !== undefined;
}
