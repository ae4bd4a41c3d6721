/** Another system that sends records: an Organization, its client, and patients of it. */
import type { WithId } from '@medplum/core';
import type { Basic, Bundle, Organization, Patient } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { linkBasic } from '../../src/flows/link.ts';
import { askBot, client } from './callers.ts';
import type { Answer } from './callers.ts';
import type { World } from './world.ts';

export interface Sender {
  readonly organization: WithId<Organization>;
  readonly reference: string;
  readonly authorization: string;
  send(input: unknown): Promise<Answer>;
}

export async function createSender(world: World, more: Partial<Organization> = {}): Promise<Sender> {
  const { reference, authorization } = await client(world);
  const organization = await world.sandbox.source.repo.createResource<Organization>({
    resourceType: 'Organization',
    name: 'A clinic',
    identifier: [{ system: systemsOf().ingestClient, value: reference.split('/')[1] ?? '' }],
    ...more,
  });
  return { organization, reference, authorization, send: (input) => askBot(world, 'ingest', authorization, input) };
}

let count = 0;

/** A patient of the organization, known on the replica by a token. */
export async function register(
  { sandbox: { source } }: World,
  { organization }: Pick<Sender, 'organization'>
): Promise<{ patient: WithId<Patient>; token: string; mrn: string }> {
  const mrn = `MRN-${++count}`;
  const patient = await source.repo.createResource<Patient>({
    resourceType: 'Patient',
    name: [{ family: 'Zorkmid', given: ['Wilhelmina'] }],
    gender: 'female',
    birthDate: '1971-03-04',
    identifier: [{ system: 'urn:oid:1.2.3', value: mrn }],
    managingOrganization: { reference: `Organization/${organization.id}` },
  });
  const token = `pt_${'bcdfghjkmpqrtvwx'.repeat(2).slice(0, 29)}${['bcd', 'fgh', 'jkm', 'pqr', 'tvw', 'xbc', 'dfg', 'hjk'][count % 8]}`;
  await source.repo.createResource<Basic>(
    linkBasic(systemsOf(), { patientId: patient.id, tokens: [{ value: token }] }, true)
  );
  return { patient, token, mrn };
}

/** The seeds' Observation (§6.1). */
export function temperature(token: string, more: object = {}): Record<string, unknown> {
  return {
    resourceType: 'Observation',
    id: 'obs_external_123',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8310-5', display: 'Body temperature' }] },
    subject: { reference: `Patient/${token}` },
    effectiveDateTime: '2024-01-15T10:00:00Z',
    valueQuantity: { value: 37.2, unit: 'Cel' },
    ...more,
  };
}

export function visit(token: string, more: object = {}): Record<string, unknown> {
  return {
    resourceType: 'Encounter',
    id: 'enc_abc',
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: `Patient/${token}` },
    period: { start: '2024-01-15T09:30:00Z', end: '2024-01-15T10:30:00Z' },
    ...more,
  };
}

export function bundle(type: Bundle['type'], ...resources: readonly unknown[]): Record<string, unknown> {
  return { resourceType: 'Bundle', type, entry: resources.map((resource) => ({ resource })) };
}
