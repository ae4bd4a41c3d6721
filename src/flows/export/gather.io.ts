/** Reads the records and copies that an export is about. */
import { patientSearch } from '../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import type { Inspected, ReplicaFhir, SourceFhir } from '../../ports.ts';
import { readAll } from '../read-all.io.ts';

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
