/** The per-type policy of `bots.config.json`: which types are replicated, in which order, and where they name their patient. */
import type { Encounter, Observation, Patient, Reference, Resource } from '@medplum/fhirtypes';
import manifest from '../../bots.config.json' with { type: 'json' };

/** The types that can be replicated; each is a row in `bots.config.json` and in the keep-list. */
export type Replicated = Patient | Encounter | Observation;
export type ReplicatedType = Replicated['resourceType'];

interface TypePolicy {
  readonly replicate: boolean;
  /** The search parameter and property that names the patient; `id` for the Patient itself. */
  readonly patientPath: string;
}

const TYPES: Readonly<Record<string, TypePolicy>> = manifest.policy.types;

/** The profile of de-identification. */
export const PROFILE = manifest.policy.profile as 'pseudonymised';

/** The replicated types, parents before children: Patient → Encounter → the rest. */
export const REPLICATED_TYPES = Object.keys(TYPES).filter(
  (type) => TYPES[type]?.replicate
) as readonly ReplicatedType[];

/**
 * @param resource - Any resource.
 * @returns Whether its type is replicated.
 */
export function isReplicated(resource: Resource): resource is Replicated {
  return TYPES[resource.resourceType]?.replicate === true;
}

/**
 * The patient whose record a resource is part of.
 *
 * @param resource - A resource of a replicated type.
 * @returns The id of the source Patient, or undefined when the resource names none.
 */
export function patientIdOf(resource: Replicated): string | undefined {
  const path = TYPES[resource.resourceType]?.patientPath;
  if (path === 'id') {
    return resource.id;
  }
  const reference = (resource as unknown as Record<string, Reference | undefined>)[path ?? '']?.reference;
  return /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference ?? '')?.[1];
}

/**
 * The search that finds all resources of one patient, of one type.
 *
 * @param resourceType - The type.
 * @param patientId - The id of the Patient, in the server that is asked.
 * @returns A FHIR-relative URL without paging parameters.
 */
export function patientSearch(resourceType: ReplicatedType, patientId: string): string {
  const path = TYPES[resourceType]?.patientPath;
  return path === 'id' ? `Patient?_id=${patientId}` : `${resourceType}?${path}=Patient/${patientId}`;
}
