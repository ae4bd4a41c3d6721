import type { Observation } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { anIdentifier, aPatient, reason } from './api.ts';
import type { Api } from './api.ts';

export function conditionalRules(api: () => Api): void {
  describe('conditional create, update and delete (platform.md 11.1)', () => {
    test('parallel conditional updates with a new key make one resource', async () => {
      const patient = aPatient();
      const query = `Patient?identifier=${patient.identifier[0].value}`;
      const answers = await Promise.all(Array.from({ length: 20 }, () => api().fhir('PUT', query, patient)));
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(answers.every(({ status }) => [200, 201, 409].includes(status))).toBe(true);
      expect(await api().find(query)).toHaveLength(1);
    });

    test('parallel If-None-Exist creates make one resource', async () => {
      const patient = aPatient();
      const condition = { 'if-none-exist': `identifier=${patient.identifier[0].value}` };
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => api().fhir('POST', 'Patient', patient, condition))
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201]);
      expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    });

    test('a conditional update of what exists keeps its id', async () => {
      const patient = aPatient();
      const { id } = await api().create(patient);
      const { status, body } = await api().fhir('PUT', `Patient?identifier=${patient.identifier[0].value}`, {
        ...patient,
        active: true,
      });
      expect([status, body.id, body.active]).toEqual([200, id, true]);
    });

    test('a conditional update that would create does not take an id from the body', async () => {
      const patient = { ...aPatient(), id: '00000000-0000-4000-8000-000000000000' };
      expect((await api().fhir('PUT', `Patient?identifier=${patient.identifier[0].value}`, patient)).status).toBe(400);
    });

    test('a condition that several resources meet is 412', async () => {
      const patient = aPatient();
      await api().create(patient);
      await api().create(patient);
      const query = `identifier=${patient.identifier[0].value}`;
      expect((await api().fhir('PUT', `Patient?${query}`, patient)).status).toBe(412);
      expect((await api().fhir('POST', 'Patient', patient, { 'if-none-exist': query })).status).toBe(412);
      expect((await api().fhir('DELETE', `Patient?${query}`)).status).toBe(412);
    });

    test('a conditional delete deletes the one that matches, and nothing is fine too', async () => {
      const patient = aPatient();
      const { id } = await api().create(patient);
      const query = `Patient?identifier=${patient.identifier[0].value}`;
      expect((await api().fhir('DELETE', query)).status).toBe(200);
      expect((await api().fhir('GET', `Patient/${id}`)).status).toBe(410);
      expect((await api().fhir('DELETE', query)).status).toBe(200);
    });

    test('a conditional patch of nothing is 404', async () => {
      const patch = [{ op: 'add', path: '/active', value: true }];
      expect((await api().fhir('PATCH', `Patient?identifier=${anIdentifier().value}`, patch)).status).toBe(404);
    });
  });

  describe('conditional references (platform.md "established earlier")', () => {
    const observation = (reference: string): Observation => ({
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'pulse' },
      subject: { reference },
    });

    test('one that finds a resource is replaced, in a single request, a batch and a transaction', async () => {
      const patient = aPatient();
      const { id } = await api().create(patient);
      const resource = observation(`Patient?identifier=${patient.identifier[0].system}|${patient.identifier[0].value}`);
      const entry = [{ request: { method: 'POST' as const, url: 'Observation' }, resource }];
      const single = await api().fhir('POST', 'Observation', resource);
      const batch = await api().bundle('batch', entry);
      const transaction = await api().bundle('transaction', entry);
      const subjects = [single.body, batch.body.entry[0].resource, transaction.body.entry[0].resource].map(
        (o) => o.subject.reference
      );
      expect(subjects).toEqual(Array(3).fill(`Patient/${id}`));
    });

    test('one that finds nothing is 400', async () => {
      const { status, body } = await api().fhir(
        'POST',
        'Observation',
        observation(`Patient?identifier=${anIdentifier().token}`)
      );
      expect(status).toBe(400);
      expect(reason(body)).toContain('did not match any resources');
    });

    test('one that finds several is 400', async () => {
      const patient = aPatient();
      await api().create(patient);
      await api().create(patient);
      const { status, body } = await api().fhir(
        'POST',
        'Observation',
        observation(`Patient?identifier=${patient.identifier[0].value}`)
      );
      expect(status).toBe(400);
      expect(reason(body)).toContain('matched multiple');
    });

    test('in a transaction one that finds nothing undoes everything', async () => {
      const patient = aPatient();
      const { status } = await api().bundle('transaction', [
        { request: { method: 'POST', url: 'Patient' }, resource: patient },
        {
          request: { method: 'POST', url: 'Observation' },
          resource: observation(`Patient?identifier=${anIdentifier().token}`),
        },
      ]);
      expect(status).toBe(400);
      expect(await api().find(`Patient?identifier=${patient.identifier[0].value}`)).toEqual([]);
    });
  });
}
