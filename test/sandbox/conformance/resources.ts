import type { Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { aPatient, reason } from './api.ts';
import type { Api } from './api.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

export function resourceRules(api: () => Api): void {
  describe('create and update (platform.md "established earlier", 12.4)', () => {
    test('the server assigns the id, whatever the client sends', async () => {
      const created = await api().create<Patient>({ ...aPatient(), id: UNKNOWN });
      expect(created.id).not.toBe(UNKNOWN);
      expect(created.id).toMatch(/^[0-9a-f-]{36}$/);
    });

    test('a create answers 201 with Location, ETag and Last-Modified', async () => {
      const { status, headers, body } = await api().fhir('POST', 'Patient', aPatient());
      expect(status).toBe(201);
      expect(headers.get('location')).toBe(`${api().baseUrl}fhir/R4/Patient/${body.id}`);
      expect(headers.get('etag')).toBe(`W/"${body.meta.versionId}"`);
      expect(new Date(headers.get('last-modified') ?? '').getTime()).toBe(
        Math.floor(Date.parse(body.meta.lastUpdated) / 1000) * 1000
      );
    });

    test('the server writes author, project, version and time, and ignores what the client says of them', async () => {
      const meta = {
        author: { reference: 'Practitioner/x' },
        project: UNKNOWN,
        versionId: 'v0',
        lastUpdated: '2001-01-01T00:00:00Z',
      };
      const created = await api().create<Patient>(aPatient({ meta }));
      expect(created.meta?.author?.reference).toMatch(/^ClientApplication\//);
      expect(created.meta?.project).not.toBe(UNKNOWN);
      expect(created.meta?.versionId).not.toBe('v0');
      expect(Date.parse(created.meta?.lastUpdated ?? '')).toBeGreaterThan(Date.parse('2020-01-01'));
    });

    test('author, project and compartment are shown in extended mode only', async () => {
      const { id } = await api().create(aPatient());
      const { body } = await api().fhir('GET', `Patient/${id}`, undefined, { 'x-medplum': 'plain' });
      expect(Object.keys(body.meta).sort()).toEqual(['lastUpdated', 'versionId']);
    });

    test('a PUT to an id that never was is 404', async () => {
      const { status } = await api().fhir('PUT', `Patient/${UNKNOWN}`, { ...aPatient(), id: UNKNOWN });
      expect(status).toBe(404);
    });

    test('a PUT whose body has another id is 400', async () => {
      const { id } = await api().create(aPatient());
      const { status } = await api().fhir('PUT', `Patient/${id}`, { ...aPatient(), id: UNKNOWN });
      expect(status).toBe(400);
    });

    test('an update that changes nothing makes no version', async () => {
      const created = await api().create(aPatient({ active: true }));
      const { status, body } = await api().fhir('PUT', `Patient/${created.id}`, created);
      expect(status).toBe(200);
      expect(body.meta.versionId).toBe(created.meta?.versionId);
      expect(await versionsOf(api(), created.id)).toBe(1);
    });

    test('key order and empty values are no change', async () => {
      const { id, identifier, meta } = await api().create(aPatient({ active: true }));
      const { body } = await api().fhir('PUT', `Patient/${id}`, {
        identifier,
        name: [],
        active: true,
        id,
        resourceType: 'Patient',
      });
      expect(body.meta.versionId).toBe(meta?.versionId);
    });

    test('a change of a tag alone makes a version', async () => {
      const created = await api().create(aPatient());
      const meta = { ...created.meta, tag: [{ system: 'https://example.com', code: 'a' }] };
      const { body } = await api().fhir('PUT', `Patient/${created.id}`, { ...created, meta });
      expect(body.meta.versionId).not.toBe(created.meta?.versionId);
    });

    test('a PUT without meta drops the tags', async () => {
      const created = await api().create(aPatient({ meta: { tag: [{ system: 'https://example.com', code: 'a' }] } }));
      const { meta: _meta, ...withoutMeta } = created;
      const { body } = await api().fhir('PUT', `Patient/${created.id}`, withoutMeta);
      expect(body.meta.tag).toBeUndefined();
    });
  });

  describe('validation', () => {
    test('an unknown property is 400 with an OperationOutcome', async () => {
      const { status, body } = await api().fhir('POST', 'Patient', { ...aPatient(), nickname: 'x' });
      expect(status).toBe(400);
      expect(body.resourceType).toBe('OperationOutcome');
      expect(body.issue[0].code).toBe('structure');
    });

    test('a missing required property is 400', async () => {
      expect((await api().fhir('POST', 'Observation', { resourceType: 'Observation', status: 'final' })).status).toBe(
        400
      );
    });

    test('a value of the wrong type is 400 on update too', async () => {
      const created = await api().create(aPatient());
      expect((await api().fhir('PUT', `Patient/${created.id}`, { ...created, birthDate: 'yesterday' })).status).toBe(
        400
      );
    });

    test('a resource of another type than the path is 400', async () => {
      expect((await api().fhir('POST', 'Observation', aPatient())).status).toBe(400);
    });

    test('a resource type that does not exist is refused', async () => {
      expect((await api().fhir('GET', `Pet/${UNKNOWN}`)).status).toBe(400);
    });

    test('text that is no JSON is 400', async () => {
      const { status, body } = await api().fhir('POST', 'Patient', '{', { 'content-type': 'application/fhir+json' });
      expect(status).toBe(400);
      expect(reason(body)).toBe('Content could not be parsed');
    });
  });

  describe('If-Match (platform.md 11.4, 12.1)', () => {
    test('a PUT by id with the quoted version succeeds, and with an old one is 412', async () => {
      const created = await api().create(aPatient());
      const tag = { 'if-match': `W/"${created.meta?.versionId}"` };
      expect((await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: true }, tag)).status).toBe(200);
      expect((await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: false }, tag)).status).toBe(412);
    });

    test('of parallel PUTs with If-Match exactly one succeeds', async () => {
      const created = await api().create(aPatient());
      const tag = { 'if-match': `W/"${created.meta?.versionId}"` };
      const answers = await Promise.all(
        [...Array(8).keys()].map((i) =>
          api().fhir('PUT', `Patient/${created.id}`, { ...created, multipleBirthInteger: i + 1 }, tag)
        )
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)]);
    });

    test.each(['not-quoted', '*'])('If-Match %s is ignored', async (value) => {
      const created = await api().create(aPatient());
      const { status } = await api().fhir(
        'PUT',
        `Patient/${created.id}`,
        { ...created, active: true },
        { 'if-match': value }
      );
      expect(status).toBe(200);
    });

    test('If-Match is ignored on PATCH and on a conditional update', async () => {
      const created = await api().create(aPatient());
      const stale = { 'if-match': 'W/"00000000-0000-4000-8000-000000000000"' };
      const patch = [{ op: 'add', path: '/active', value: true }];
      const query = `Patient?identifier=${created.identifier?.[0]?.value}`;
      expect((await api().fhir('PATCH', `Patient/${created.id}`, patch, stale)).status).toBe(200);
      expect((await api().fhir('PUT', query, { ...created, active: false }, stale)).status).toBe(200);
    });
  });

  describe('PATCH (platform.md 12.2-12.3)', () => {
    test('a failed test operation is 400 and nothing is written', async () => {
      const created = await api().create(aPatient());
      const { status } = await api().fhir('PATCH', `Patient/${created.id}`, [
        { op: 'add', path: '/active', value: true },
        { op: 'test', path: '/meta/versionId', value: 'x' },
      ]);
      expect(status).toBe(400);
      expect((await api().fhir('GET', `Patient/${created.id}`)).body.active).toBeUndefined();
    });

    test('a test of the version makes parallel patches exclusive', async () => {
      const created = await api().create(aPatient());
      const patch = [
        { op: 'test', path: '/meta/versionId', value: created.meta?.versionId },
        { op: 'add', path: '/active', value: true },
      ];
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => api().fhir('PATCH', `Patient/${created.id}`, patch))
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400, 400]);
    });

    test('a patch that changes nothing makes no version, and removing what is absent is 400', async () => {
      const created = await api().create(aPatient({ active: true }));
      const same = await api().fhir('PATCH', `Patient/${created.id}`, [
        { op: 'replace', path: '/active', value: true },
      ]);
      expect(same.body.meta.versionId).toBe(created.meta?.versionId);
      expect((await api().fhir('PATCH', `Patient/${created.id}`, [{ op: 'remove', path: '/gender' }])).status).toBe(
        400
      );
    });
  });

  describe('delete and history (platform.md 8.1-8.2)', () => {
    test('after a delete a read is 410 and a search does not find it', async () => {
      const { id, identifier } = await deleted(api());
      expect((await api().fhir('GET', `Patient/${id}`)).status).toBe(410);
      expect(await api().find(`Patient?identifier=${identifier[0].value}`)).toEqual([]);
    });

    test('a delete can be repeated, but not of an id that never was', async () => {
      const { id } = await deleted(api());
      expect((await api().fhir('DELETE', `Patient/${id}`)).status).toBe(200);
      expect((await api().fhir('DELETE', `Patient/${UNKNOWN}`)).status).toBe(404);
    });

    test('the history of what is deleted begins with a tombstone without content', async () => {
      const { id, version } = await deleted(api());
      const { status, body } = await api().fhir('GET', `Patient/${id}/_history`);
      expect(status).toBe(200);
      expect(body.entry.map((entry) => entry.response.status)).toEqual(['410', '200']);
      expect(body.entry[0].resource).toBeUndefined();
      expect(body.entry[1].resource.meta.versionId).toBe(version);
    });

    test('old versions can still be read; the tombstone cannot', async () => {
      const { id, version } = await deleted(api());
      const { body } = await api().fhir('GET', `Patient/${id}/_history`);
      const tombstone = body.entry[0].request.url.split('/').at(-1);
      expect((await api().fhir('GET', `Patient/${id}/_history/${version}`)).status).toBe(200);
      expect((await api().fhir('GET', `Patient/${id}/_history/${tombstone}`)).status).toBe(400);
    });

    test('a PUT by id brings it back', async () => {
      const { id } = await deleted(api());
      expect((await api().fhir('PUT', `Patient/${id}`, { ...aPatient(), id })).status).toBe(200);
      expect((await api().fhir('GET', `Patient/${id}`)).status).toBe(200);
      expect(await versionsOf(api(), id)).toBe(3);
    });

    test('a conditional update does not see what is deleted', async () => {
      const { id, identifier } = await deleted(api());
      const { status, body } = await api().fhir(
        'PUT',
        `Patient?identifier=${identifier[0].value}`,
        aPatient({ identifier })
      );
      expect(status).toBe(201);
      expect(body.id).not.toBe(id);
    });

    test('the history is paged by _count and _offset, newest first', async () => {
      const created = await api().create(aPatient());
      await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: true });
      const newest = await api().fhir('GET', `Patient/${created.id}/_history?_count=1`);
      const oldest = await api().fhir('GET', `Patient/${created.id}/_history?_count=1&_offset=1`);
      expect(newest.body.entry[0].resource.active).toBe(true);
      expect(oldest.body.entry[0].resource.meta.versionId).toBe(created.meta?.versionId);
      expect(newest.body.total).toBe(2);
    });

    test('there is no history of a type or of the system', async () => {
      expect((await api().fhir('GET', 'Patient/_history')).status).toBe(404);
      expect((await api().fhir('GET', '_history')).status).toBe(400);
    });
  });
}

async function versionsOf(api: Api, id: string): Promise<number> {
  return (await api.fhir('GET', `Patient/${id}/_history`)).body.entry.length;
}

async function deleted(
  api: Api
): Promise<{ id: string; version: string; identifier: [{ system: string; value: string }] }> {
  const patient = aPatient();
  const created = await api.create(patient);
  await api.fhir('DELETE', `Patient/${created.id}`);
  return { id: created.id, version: created.meta?.versionId ?? '', identifier: patient.identifier };
}
