/** Reads from the source what a sync would decide on, with the client of whoever asks. */
import type { Basic, Encounter, Patient, Resource, Task } from '@medplum/fhirtypes';
import { encounterIdOf, isReplicated, patientSearch, REPLICATED_TYPES } from '../../src/config/policy.ts';
import type { Replicated } from '../../src/config/policy.ts';
import type { Facts } from '../../src/flows/sync/facts.ts';
import { jobsSearch } from '../../src/queue/job.ts';
import { linkIn, linkTerm, liveTokens } from '../../src/flows/link.ts';
import { consentsOf } from '../consent/project.ts';
import type { Source } from '../consent/project.ts';
import { Refusal } from '../deploy/server.ts';

type Saved<T> = T & { id: string };

/** What a decision about the records of a patient needs, and the patient's jobs. */
export interface PatientFacts {
  readonly facts: Facts;
  readonly jobs: readonly Task[];
}

/** A record and what a decision about it needs. */
export interface RecordFacts extends PatientFacts {
  readonly record: Resource & { id: string };
}

/**
 * Reads one record.
 *
 * @param source - The source.
 * @param patient - The patient that it is asked about.
 * @param reference - `Type/id`.
 * @returns The record, its Encounter, and the patient's Consents.
 */
export async function gatherRecord(source: Source, patient: Saved<Patient>, reference: string): Promise<RecordFacts> {
  if (!/^[A-Z]\w+\/[A-Za-z0-9.-]{1,64}$/.test(reference)) {
    throw new Refusal(`"${reference}" names no resource`, 'Write Type/<id>, such as Observation/123.');
  }
  const record = await source.server.read<Resource>(reference);
  const encounterId = isReplicated(record) ? encounterIdOf(record) : undefined;
  const encounters = encounterId ? await source.server.search<Encounter>(`Encounter?_id=${encounterId}`) : [];
  return { record, ...(await factsOf(source, patient, [...(isReplicated(record) ? [record] : []), ...encounters])) };
}

/**
 * Reads every record of a patient.
 *
 * @param source - The source.
 * @param patient - The patient.
 * @returns All records of replicated types.
 */
export async function gatherRecords(source: Source, patient: Saved<Patient>): Promise<PatientFacts> {
  const records: Replicated[] = [];
  for (const type of REPLICATED_TYPES) {
    records.push(...(await source.server.search<Replicated>(patientSearch(type, patient.id))));
  }
  return factsOf(source, patient, records);
}

async function factsOf(source: Source, patient: Saved<Patient>, records: readonly Replicated[]): Promise<PatientFacts> {
  const { server, systems } = source;
  const term = encodeURIComponent(linkTerm(systems, patient.id));
  const link = linkIn(systems, await server.search<Basic>(`Basic?identifier=${term}`));
  const facts: Facts = {
    patientId: patient.id,
    patient,
    consents: await consentsOf(server, patient.id),
    link,
    isLinked: liveTokens(link).length > 0,
    hints: [],
    records: new Map([patient, ...records].map((one) => [`${one.resourceType}/${one.id}`, one])),
    earlier: [],
  };
  const open = 'requested,in-progress,on-hold,failed';
  const jobs = await server.search<Task>(`${jobsSearch(systems)}&patient=Patient/${patient.id}&status=${open}`);
  return { facts, jobs };
}
