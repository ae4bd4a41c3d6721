/** Reads what an export is decided on, and the records and copies that it is about. */
import type { Consent, Encounter, Patient, PractitionerRole } from '@medplum/fhirtypes';
import { patientSearch } from '../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import type { Inspected, ReplicaFhir, SourceFhir } from '../../ports.ts';
import { ACTIVE } from '../../rules/access/role.ts';
import { linkIn, linkTerm } from '../link.ts';
import { readAll } from '../read-all.io.ts';
import type { ExportFacts } from './facts.ts';
import type { ExportAsk } from './input.ts';

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param patient - Whom the caller names.
 * @param requester - Who asks.
 * @returns The facts, in two requests.
 * @throws Fault `source-*` when anything cannot be read: an unread Consent is never an absent one.
 */
export async function gatherExport(
  source: SourceFhir,
  systems: Systems,
  patient: ExportAsk['patient'],
  requester: string | undefined
): Promise<ExportFacts> {
  const term = 'token' in patient ? `${systems.patientToken}|${patient.token}` : linkTerm(systems, patient.id);
  const isPractitioner = requester?.split('/')[0] === 'Practitioner';
  const [links = [], roles = []] = await readAll(source, [
    `Basic?identifier=${encodeURIComponent(term)}&_count=10`,
    ...(isPractitioner ? [`PractitionerRole?practitioner=${requester}&_count=100`] : []),
  ]);
  const link = linkIn(systems, links);
  const patientId = 'token' in patient ? link?.patientId : patient.id;
  const own = { link, roles: roles as PractitionerRole[] };
  if (!patientId) {
    return { ...own, patient: undefined, consents: [], encounters: [] };
  }
  const participants = [requester, ...roles.map(({ id }) => `PractitionerRole/${id}`)].join(',');
  const [patients = [], consents = [], encounters = []] = await readAll(source, [
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=100`,
    ...(isPractitioner
      ? [`Encounter?subject=Patient/${patientId}&participant=${participants}&status=${ACTIVE.join(',')}&_count=100`]
      : []),
  ]);
  return {
    ...own,
    patient: patients[0] as Patient | undefined,
    consents: consents as Consent[],
    encounters: encounters as Encounter[],
  };
}

/**
 * @param source - The source.
 * @param patientId - The patient.
 * @param types - Which types.
 * @returns The patient's records, all pages: about them the Consents are asked.
 */
export async function recordsOf(
  source: SourceFhir,
  patientId: string,
  types: readonly ReplicatedType[]
): Promise<Replicated[]> {
  const lists = await readAll(
    source,
    types.map((type) => `${patientSearch(type, patientId)}&_count=1000&_sort=_lastUpdated`)
  );
  return lists.flat() as Replicated[];
}

/**
 * @param replica - The replica.
 * @param systems - Our systems.
 * @param tokens - The tokens of the patient under which copies are.
 * @param types - Which types.
 * @returns The patient's copies, all pages.
 * @throws Fault `replica-*` when any page cannot be read.
 */
export async function copiesOf(
  replica: ReplicaFhir,
  systems: Systems,
  tokens: readonly string[],
  types: readonly ReplicatedType[]
): Promise<Inspected[]> {
  if (tokens.length === 0) {
    return [];
  }
  const terms = tokens.map((token) => encodeURIComponent(`${systems.patientToken}|${token}`)).join(',');
  const patients = await replica.inspect([`Patient?identifier=${terms}&_count=100`]);
  const searches = patients.flatMap(({ id }) =>
    types.filter((type) => type !== 'Patient').map((type) => `${patientSearch(type, id)}&_count=1000`)
  );
  return [...patients, ...(searches.length > 0 ? await replica.inspect(searches) : [])];
}
