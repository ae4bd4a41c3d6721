import type { BundleEntry, Patient } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { anIdentifier, aPatient, reason } from './api.ts';
import type { Api } from './api.ts';

const post = (patient = aPatient()): BundleEntry => ({
  request: { method: 'POST', url: 'Patient' },
  resource: patient,
});
const upsert = (patient = aPatient()): BundleEntry => ({
  request: { method: 'PUT', url: `Patient?identifier=${patient.identifier[0].value}` },
  resource: patient,
});
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

export function transactionRules(api: () => Api): void {
  describe('transactions are atomic', () => {
    test('when the last entry is invalid nothing is written', async () => {
      const patient = aPatient();
      const invalid = {
        request: { method: 'POST', url: 'Patient' },
        resource: { ...aPatient(), nickname: 'x' },
      } as BundleEntry;
      expect((await api().bundle('transaction', [post(patient), invalid])).status).toBe(400);
      expect(await api().find(`Patient?identifier=${patient.identifier[0].value}`)).toEqual([]);
    });

    test('a failure undoes creates, updates and deletes, and leaves no version', async () => {
      const updated = await api().create(aPatient({ active: true }));
      const removed = await api().create(aPatient());
      const { status } = await api().bundle('transaction', [
        { request: { method: 'DELETE', url: `Patient/${removed.id}` } },
        { request: { method: 'PUT', url: `Patient/${updated.id}` }, resource: { ...updated, active: false } },
        {
          request: { method: 'PUT', url: 'Patient/00000000-0000-4000-8000-000000000000' },
          resource: { ...aPatient(), id: '00000000-0000-4000-8000-000000000000' },
        },
      ]);
      expect(status).toBe(404);
      expect((await api().fhir('GET', `Patient/${removed.id}`)).status).toBe(200);
      expect((await api().fhir('GET', `Patient/${updated.id}`)).body.active).toBe(true);
      expect((await api().fhir('GET', `Patient/${updated.id}/_history`)).body.entry).toHaveLength(1);
      expect(await api().find(`Patient?active=true&identifier=${updated.identifier?.[0]?.value}`)).toHaveLength(1);
      expect(await api().find(`Patient?active=false&identifier=${updated.identifier?.[0]?.value}`)).toEqual([]);
    });

    test('a stale ifMatch of one entry fails the whole', async () => {
      const updated = await api().create(aPatient());
      const patient = aPatient();
      const { status } = await api().bundle('transaction', [
        post(patient),
        {
          request: { method: 'PUT', url: `Patient/${updated.id}`, ifMatch: 'W/"00000000-0000-4000-8000-000000000000"' },
          resource: { ...updated, active: true },
        },
      ]);
      expect(status).toBe(412);
      expect(await api().find(`Patient?identifier=${patient.identifier[0].value}`)).toEqual([]);
    });

    test('a batch goes on after a failed entry', async () => {
      const patient = aPatient();
      const { status, body } = await api().bundle('batch', [
        { request: { method: 'GET', url: 'Patient/00000000-0000-4000-8000-000000000000' } },
        post(patient),
      ]);
      expect(status).toBe(200);
      expect(body.entry.map((entry) => entry.response.status)).toEqual(['404', '201']);
    });

    test('urn:uuid references become the ids of what is created', async () => {
      const fullUrl = `urn:uuid:${randomUUID()}`;
      const { body } = await api().bundle('transaction', [
        {
          request: { method: 'POST', url: 'Observation' },
          resource: {
            resourceType: 'Observation',
            status: 'final',
            code: { text: 'x' },
            subject: { reference: fullUrl },
          },
        },
        { ...post(), fullUrl },
      ]);
      expect(body.entry[0].resource.subject.reference).toBe(`Patient/${body.entry[1].resource.id}`);
    });
  });

  describe('limits of a transaction (platform.md 11.5)', () => {
    test('with a conditional update that creates, 8 entries pass and 9 do not', async () => {
      expect((await api().bundle('transaction', [upsert(), ...times(7, post)])).status).toBe(200);
      const { status, body } = await api().bundle('transaction', [upsert(), ...times(8, post)]);
      expect(status).toBe(400);
      expect(reason(body)).toBe('Transaction requires strict isolation but has too many entries');
    });

    test('with ifNoneExist, 9 entries do not pass', async () => {
      const entry = post();
      const conditional = {
        ...entry,
        request: { method: 'POST' as const, url: 'Patient', ifNoneExist: `identifier=${anIdentifier().value}` },
      };
      expect((await api().bundle('transaction', [conditional, ...times(8, post)])).status).toBe(400);
    });

    test('conditional updates of what exists do not count as such: 9 pass', async () => {
      const patients = times(9, aPatient);
      await api().bundle(
        'transaction',
        patients.map((patient) => post(patient))
      );
      const { status } = await api().bundle(
        'transaction',
        patients.map((patient) => upsert({ ...patient, active: true }))
      );
      expect(status).toBe(200);
    });

    test('51 updates are too many, and 200 creates are not', async () => {
      const { body } = await api().bundle('transaction', times(200, post));
      expect(body.entry).toHaveLength(200);
      const puts = body.entry.slice(0, 51).map(({ resource }) => ({
        request: { method: 'PUT' as const, url: `Patient/${resource.id}` },
        resource: { ...(resource as unknown as Patient), active: true },
      }));
      const refused = await api().bundle('transaction', puts);
      expect(refused.status).toBe(400);
      expect(reason(refused.body)).toBe('Transaction contains more update operations than allowed');
      expect((await api().bundle('transaction', puts.slice(1))).status).toBe(200);
    });

    test('the same resource twice is 400', async () => {
      const { id } = await api().create(aPatient());
      const put = { request: { method: 'PUT' as const, url: `Patient/${id}` }, resource: { ...aPatient(), id } };
      expect((await api().bundle('transaction', [put, put])).status).toBe(400);
    });
  });
}
