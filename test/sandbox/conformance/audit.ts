import type { AuditEvent, Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { aPatient, Api } from './api.ts';
import type { Driver } from './api.ts';

export function auditRules(driver: () => Driver, api: () => Api): void {
  const rows = async (entity: string): Promise<AuditEvent[]> => {
    await driver().settle();
    return api().find<AuditEvent>(`AuditEvent?entity=${entity}&_sort=_lastUpdated&_count=100`);
  };
  const codes = (events: readonly AuditEvent[]): (string | undefined)[] =>
    events.map((event) => event.subtype?.[0]?.code);

  describe('AuditEvents of REST access (platform.md 4.4-4.5)', () => {
    test('create, read, update, patch, history and delete leave one row each, an unchanged update too', async () => {
      const created = await api().create(aPatient());
      const path = `Patient/${created.id}`;
      await api().fhir('GET', path);
      await api().fhir('PUT', path, { ...created, active: true });
      await api().fhir('PUT', path, { ...created, active: true });
      await api().fhir('PATCH', path, [{ op: 'replace', path: '/active', value: false }]);
      await api().fhir('GET', `${path}/_history`);
      await api().fhir('DELETE', path);
      expect(codes(await rows(path))).toEqual(['create', 'read', 'update', 'update', 'patch', 'history', 'delete']);
    });

    test('a row says who, what, when and how', async () => {
      const { id } = await api().create(aPatient({ name: [{ family: 'Fox', given: ['Ida'] }] }));
      const [event] = await rows(`Patient/${id}`);
      expect(event).toMatchObject({
        type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' },
        subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: 'create' }],
        action: 'C',
        outcome: '0',
        agent: [{ who: { reference: `ClientApplication/${driver().client.id}` }, requestor: true }],
        entity: [{ what: { reference: `Patient/${id}`, display: 'Ida Fox' } }],
      });
      expect(event?.meta?.author?.reference).toBe(`ClientApplication/${driver().client.id}`);
      expect(event?.recorded && event.recorded <= (event.meta?.lastUpdated ?? '')).toBe(true);
    });

    test('searches, single versions and failed requests leave none', async () => {
      const created = await api().create(aPatient());
      const path = `Patient/${created.id}`;
      await api().fhir('GET', `Patient?_id=${created.id}`);
      await api().fhir('GET', `${path}/_history/${created.meta?.versionId}`);
      await api().fhir('PUT', path, { ...created, nickname: 'x' });
      await api().fhir('PUT', path, { ...created, active: true }, { 'if-match': 'W/"x"' });
      expect(codes(await rows(path))).toEqual(['create']);
    });

    test('the history of what is deleted leaves none', async () => {
      const { id } = await api().create(aPatient());
      await api().fhir('DELETE', `Patient/${id}`);
      await api().fhir('GET', `Patient/${id}/_history`);
      expect(codes(await rows(`Patient/${id}`))).toEqual(['create', 'delete']);
    });

    test('a conditional update is a create or an update', async () => {
      const patient = aPatient();
      const query = `Patient?identifier=${patient.identifier[0].value}`;
      const { body } = await api().fhir('PUT', query, patient);
      await api().fhir('PUT', query, { ...patient, active: true });
      expect(codes(await rows(`Patient/${body.id}`))).toEqual(['create', 'update']);
    });

    test('a transaction leaves a row for each entry, one request id in all; a failed one leaves none', async () => {
      const patient = aPatient();
      const entry = { request: { method: 'POST' as const, url: 'Patient' } };
      const { body } = await api().bundle('transaction', [
        { ...entry, resource: patient },
        { ...entry, resource: aPatient() },
      ]);
      const events = [
        ...(await rows(`Patient/${body.entry[0].resource.id}`)),
        ...(await rows(`Patient/${body.entry[1].resource.id}`)),
      ];
      expect(codes(events)).toEqual(['create', 'create']);
      expect(new Set(events.map((event) => JSON.stringify(event.extension))).size).toBe(1);

      const existing = body.entry[0].resource as unknown as Patient;
      // Patches come after updates, so the update has happened when the patch fails.
      const patch = {
        name: 'operation',
        part: [
          { name: 'op', valueCode: 'remove' },
          { name: 'path', valueString: '/gender' },
        ],
      };
      const failed = await api().bundle('transaction', [
        { request: { method: 'PUT', url: `Patient/${existing.id}` }, resource: { ...existing, active: true } },
        {
          request: { method: 'PATCH', url: `Patient/${body.entry[1].resource.id}` },
          resource: { resourceType: 'Parameters', parameter: [patch] },
        },
      ]);
      expect(failed.status).toBe(400);
      expect(codes(await rows(`Patient/${existing.id}`))).toEqual(['create']);
    });

    test('_include leaves a read for each reference, $everything one for the patient', async () => {
      const { id } = await api().create(aPatient());
      for (let i = 0; i < 2; i++) {
        await api().create({
          resourceType: 'Observation',
          status: 'final',
          code: { text: 'x' },
          subject: { reference: `Patient/${id}` },
        });
      }
      await api().fhir('GET', `Observation?subject=Patient/${id}&_include=Observation:subject`);
      await api().fhir('GET', `Patient/${id}/$everything`);
      expect(codes(await rows(`Patient/${id}`))).toEqual(['create', 'read', 'read', 'read']);
    });

    test('a caller whose policy lacks AuditEvent create is not audited (4.3)', async () => {
      const { id } = await api().create(aPatient());
      const silent = new Api(driver().baseUrl, await driver().restrictedClient([{ resourceType: 'Patient' }]));
      await silent.fhir('GET', `Patient/${id}`);
      expect(codes(await rows(`Patient/${id}`))).toEqual(['create']);
      const audited = await driver().restrictedClient([
        { resourceType: 'Patient' },
        { resourceType: 'AuditEvent', interaction: ['create'] },
      ]);
      await new Api(driver().baseUrl, audited).fhir('GET', `Patient/${id}`);
      expect(codes(await rows(`Patient/${id}`))).toEqual(['create', 'read']);
    });

    test('a client can write AuditEvents itself, back-dated, and they are not audited (4.10)', async () => {
      const { id } = await api().create(aPatient());
      await api().create<AuditEvent>({
        resourceType: 'AuditEvent',
        type: { code: 'rest' },
        recorded: '2001-01-01T00:00:00Z',
        agent: [{ requestor: true }],
        source: { observer: { display: 'x' } },
        entity: [{ what: { reference: `Patient/${id}` } }],
      });
      expect((await rows(`Patient/${id}`)).map((event) => event.recorded.slice(0, 4))).toContain('2001');
      expect(await rows(`Patient/${id}`)).toHaveLength(2);
    });
  });

  describe('AuditEvents of bot runs (platform.md 4.5)', () => {
    const run = async (code: string, change: object = {}): Promise<AuditEvent[]> => {
      const id = await driver().deployBot(`exports.handler = async (medplum, event) => { ${code} };`);
      const bot = (await api().fhir('GET', `Bot/${id}`)).body;
      await api().fhir('PUT', `Bot/${id}`, { ...bot, ...change });
      await api().fhir('POST', `Bot/${id}/$execute`, {}, { 'content-type': 'application/json' });
      return (await rows(`Bot/${id}`)).filter((event) => event.type.code === 'execute');
    };

    test('a run leaves an execute event with what the bot printed', async () => {
      const [event] = await run(`console.log('one', 2); console.log('three');`);
      expect(event).toMatchObject({
        type: { system: 'https://medplum.com/CodeSystem/audit-event', code: 'execute' },
        outcome: '0',
        outcomeDesc: 'one 2\nthree',
        agent: [
          { who: { reference: `ClientApplication/${driver().client.id}` }, requestor: true },
          { requestor: false },
        ],
      });
      expect(event?.subtype).toBeUndefined();
      expect(event?.period?.start).toBeDefined();
    });

    test('a failed run has outcome 4 and the error in its text', async () => {
      const [event] = await run(`throw new Error('broken');`);
      expect(event?.outcome).toBe('4');
      expect(event?.outcomeDesc).toContain('Unhandled error: broken');
    });

    test('the last 10,240 characters are kept', async () => {
      const [event] = await run(`console.log('first'.padEnd(20000, 'x')); console.log('last');`);
      expect(event?.outcomeDesc).toHaveLength(10_240);
      expect(event?.outcomeDesc?.endsWith('x\nlast')).toBe(true);
    });

    test.each([
      ['never', `throw new Error('x');`, 0],
      ['on-error', `console.log('fine');`, 0],
      ['on-error', `throw new Error('x');`, 1],
      ['on-output', `return 1;`, 0],
      ['on-output', `console.log('x');`, 1],
    ])('auditEventTrigger %s, code %s: %i events', async (auditEventTrigger, code, count) => {
      expect(await run(code, { auditEventTrigger })).toHaveLength(count);
    });

    test('auditEventDestination log stores nothing', async () => {
      expect(await run(`console.log('x');`, { auditEventDestination: ['log'] })).toEqual([]);
    });
  });
}
