/** The per-type policy of `bots.config.json`: which types are replicated, in which order, and where they name their patient. */
import type {
  AllergyIntolerance,
  CarePlan,
  Condition,
  DiagnosticReport,
  DocumentReference,
  Encounter,
  Immunization,
  MedicationRequest,
  Observation,
  Patient,
  Procedure,
  Reference,
  Resource,
  ServiceRequest,
} from '@medplum/fhirtypes';
import { listsOf } from '../fhir/lists.ts';
import manifest from '../../bots.config.json' with { type: 'json' };

/** The types that can be replicated; each is a row in `bots.config.json` and in the keep-list. */
export type Replicated =
  | Patient
  | Encounter
  | Observation
  | Condition
  | AllergyIntolerance
  | ServiceRequest
  | CarePlan
  | MedicationRequest
  | Procedure
  | Immunization
  | DiagnosticReport
  | DocumentReference;
export type ReplicatedType = Replicated['resourceType'];

/** The types of which there can be stubs: kind and state of whoever or whatever a copy refers to, without a name. */
export type StubType = 'Practitioner' | 'Organization' | 'Location';

interface TypePolicy {
  readonly replicate: boolean;
  /** Whether copies refer to stubs of its resources. */
  readonly stub?: boolean;
  /** The search parameter and property that names the patient; `id` for the Patient itself. */
  readonly patientPath?: string;
  /**
   * The search parameter and property that names one Encounter. A type without one keeps no reference to a copy, only a token: its
   * records could not be found when the Encounter's copy comes or goes.
   */
  readonly encounterPath?: string;
  /** Where documentation names the Encounters that it documents. The search parameter is the last part. */
  readonly documentPath?: string;
  /** Whether the original is kept, encrypted, for the bot `reveal`. */
  readonly payload?: boolean;
}

const TYPES: Readonly<Record<string, TypePolicy>> = manifest.policy.types;

/** The types that have stubs; none unless the manifest says so. */
export const STUB_TYPES = Object.keys(TYPES).filter((type) => TYPES[type]?.stub) as readonly StubType[];

/** What documentation may name instead of an Encounter (FHIR R4 DocumentReference.context.encounter); it is never finished as such. */
const EPISODE = 'EpisodeOfCare';

/** Elements whose references tell where a copy hangs; with stubs, also those that may refer to one. */
const REFERENCE_FIELDS = ['subject', 'patient', 'encounter'];

/** The profile of de-identification, and what the deployment drops in addition: `Type.path` of elements. It can only narrow. */
export const PROFILE = manifest.policy.profile as 'pseudonymised' | 'safe-harbor';
export const NARROW: readonly string[] = manifest.policy.narrow;

/** The names of the replicated types, for whoever speaks of them and touches no record. */
export const TYPE_NAMES: readonly string[] = Object.keys(TYPES).filter((type) => TYPES[type]?.replicate);

/** The replicated types, parents before children: Patient → Encounter → the rest. */
export const REPLICATED_TYPES = TYPE_NAMES as readonly ReplicatedType[];

/** The types of documentation, which can wait for their Encounters. */
export const DOCUMENT_TYPES = TYPE_NAMES.filter((type) => TYPES[type]?.documentPath !== undefined);

/**
 * @param resourceType - A type.
 * @returns Whether the replica may hold copies of its records.
 */
export function mayHaveCopies(resourceType: string): boolean {
  return TYPES[resourceType]?.replicate === true;
}

/**
 * @param resourceType - A type.
 * @returns Whether the originals of its records are kept encrypted, when there is a key for that.
 */
export function keepsOriginal(resourceType: string): boolean {
  return TYPES[resourceType]?.payload === true;
}

/**
 * @param resource - Any resource.
 * @returns Whether its type is replicated.
 */
export function isReplicated(resource: Resource): resource is Replicated {
  return mayHaveCopies(resource.resourceType);
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
  return idAt(resource, path, 'Patient');
}

/**
 * @param resource - A resource of a replicated type.
 * @returns The id of the Encounter that it is part of, where its copy refers to the Encounter's.
 */
export function encounterIdOf(resource: Replicated): string | undefined {
  return idAt(resource, TYPES[resource.resourceType]?.encounterPath, 'Encounter');
}

/**
 * The Encounters that a piece of documentation documents.
 *
 * @param resource - A resource of a replicated type.
 * @returns Their ids, each once; an empty one for a reference that cannot be followed. Empty for what is no documentation, or of no Encounter.
 */
export function documentedIdsOf(resource: Replicated): string[] {
  const steps = TYPES[resource.resourceType]?.documentPath?.split('.') ?? [];
  const found = steps.reduce<unknown[]>(
    (values, step) => values.flatMap((value) => (value as Record<string, unknown> | null)?.[step] ?? []),
    steps.length > 0 ? [resource] : []
  );
  const references = (found as Reference[]).filter(
    ({ reference = '', type }) => type !== EPISODE && reference.split('/')[0] !== EPISODE
  );
  return [...new Set(references.map((one) => idIn(one, 'Encounter') ?? ''))];
}

/**
 * The searches that find all resources of some Encounters.
 *
 * @param encounterIds - The ids of the Encounters.
 * @returns FHIR-relative URLs without paging parameters, one per type whose copies refer to Encounters.
 */
export function encounterSearches(encounterIds: readonly string[]): string[] {
  return searchesBy(encounterIds, REPLICATED_TYPES, (type) => TYPES[type]?.encounterPath);
}

/**
 * The searches that find the documentation of some Encounters.
 *
 * @param encounterIds - The ids of the Encounters.
 * @param types - Types of documentation.
 * @returns FHIR-relative URLs without paging parameters, one per type.
 */
export function documentSearches(encounterIds: readonly string[], types: readonly ReplicatedType[]): string[] {
  return searchesBy(encounterIds, types, (type) => TYPES[type]?.documentPath?.split('.').at(-1));
}

function searchesBy(
  encounterIds: readonly string[],
  types: readonly ReplicatedType[],
  pathOf: (type: ReplicatedType) => string | undefined
): string[] {
  const references = encounterIds.map((id) => `Encounter/${id}`).join(',');
  return types.flatMap((type) => {
    const path = pathOf(type);
    return path === undefined || encounterIds.length === 0
      ? []
      : [`${type}?${path}=${references}&_fields=${filingFieldsOf(type)}`];
  });
}

/**
 * @param resourceType - A type.
 * @returns The elements that say whose a record is, and of which Encounters: all that is needed to look at it again.
 */
export function filingFieldsOf(resourceType: ReplicatedType): string {
  const { patientPath, encounterPath, documentPath } = TYPES[resourceType] ?? {};
  const paths = [patientPath, encounterPath, documentPath?.split('.')[0]];
  return [...new Set(['meta', ...paths.filter((path) => path !== undefined)])].join();
}

/**
 * @param resourceType - A type.
 * @returns The elements that a search for copies has to give: names, labels, and references to other copies.
 */
export function fieldsOf(resourceType: string): string {
  const positions = STUB_TYPES.length > 0 ? manifest.policy.stubReferences : [];
  const holders = positions.flatMap((path) => {
    const [type, element = ''] = path.split('.');
    return type === resourceType ? [element] : [];
  });
  return [...new Set(['identifier', 'meta', ...REFERENCE_FIELDS, ...holders])].join();
}

function idAt(resource: Replicated, path: string | undefined, type: 'Patient' | 'Encounter'): string | undefined {
  return idIn((resource as unknown as Record<string, Reference | undefined>)[path ?? ''], type);
}

function idIn({ reference = '' }: Reference = {}, type: 'Patient' | 'Encounter'): string | undefined {
  const id = reference.startsWith(`${type}/`) ? reference.slice(type.length + 1) : '';
  return /^[A-Za-z0-9.-]{1,64}$/.test(id) ? id : undefined;
}

/**
 * The search that finds all resources of one patient, of one type.
 *
 * @param resourceType - The type.
 * @param patientId - The id of the Patient, in the server that is asked.
 * @returns A FHIR-relative URL without paging parameters.
 */
export function patientSearch(resourceType: ReplicatedType, patientId: string): string {
  return recordsSearches(resourceType, [patientId]).join();
}

/**
 * The searches that find all resources of some patients, of one type.
 *
 * @param resourceType - The type.
 * @param patientIds - The ids of the Patients, in the server that is asked.
 * @returns FHIR-relative URLs without paging parameters: one, unless it became too long.
 */
export function recordsSearches(resourceType: ReplicatedType, patientIds: readonly string[]): string[] {
  const path = TYPES[resourceType]?.patientPath;
  return path === 'id'
    ? listsOf(patientIds).map((list) => `Patient?_id=${list}`)
    : listsOf(patientIds.map((id) => `Patient/${id}`)).map((list) => `${resourceType}?${path}=${list}`);
}
