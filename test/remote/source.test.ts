/** The source adapter over MockClient: right for what it does here; what MockClient does not refuse is tested in `test/story`. */
import { OperationOutcomeError } from '@medplum/core';
import { MockClient } from '@medplum/mock';
import type { AuditEvent, Basic, Patient } from '@medplum/fhirtypes';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import { sourceClient } from '../../src/remote/source.io.ts';

const clock = { now: () => 0, sleep: () => new Promise<void>(() => undefined) };
const impatient = { now: () => 0, sleep: () => Promise.resolve() };
const random = { unit: () => 0.5, uuid: () => 'u' };
const link: Basic = { resourceType: 'Basic', identifier: [{ system: 'urn:s', value: 'v' }], code: { text: 'link' } };

// MockClient finds nothing by identifier until search parameters are indexed.
beforeAll(loadDefinitions);

describe('the source', () => {
  test('answers a batch of reads in order; what is missing is a status', async () => {
    const medplum = new MockClient();
    const patient = await medplum.createResource<Patient>({ resourceType: 'Patient' });
    const source = sourceClient(medplum, { clock, random });
    const answers = await source.read(['Patient/00000000-0000-4000-8000-000000000000', `Patient/${patient.id}`]);
    expect(answers[0]).toEqual({ status: 404 });
    expect(answers[1]).toMatchObject({ status: 200, resource: { id: patient.id } });
  });

  test.each([
    ['a batch', 'read'],
    ['a search', 'search'],
  ] as const)(
    '%s follows a next link by its path: whatever host it names, nobody else gets the token',
    async (_name, how) => {
      const medplum = new MockClient();
      const asked: string[] = [];
      const one = { resourceType: 'Patient' as const, id: 'p' };
      medplum.executeBatch = (bundle) => {
        asked.push(...(bundle.entry ?? []).map(({ request }) => `${medplum.fhirUrl('').href}${request?.url}`));
        return Promise.resolve({
          resourceType: 'Bundle',
          type: 'batch-response',
          entry: [{ response: { status: '200' }, resource: one }],
        });
      };
      medplum.get = ((url: URL) => Promise.resolve(void asked.push(url.href))) as never;
      const source = sourceClient(medplum, { clock, random });
      const ask = async (url: string): Promise<unknown> => (how === 'read' ? source.read([url]) : source.search(url));
      await ask('https://elsewhere.example/fhir/R4/Patient?_cursor=2-1');
      await ask('Patient?name=x');
      expect(asked).toEqual([
        `${medplum.fhirUrl('').href}Patient?_cursor=2-1`,
        `${medplum.fhirUrl('').href}Patient?name=x`,
      ]);
      await expect(ask('https://elsewhere.example/other/Patient')).rejects.toMatchObject({ code: 'source-incomplete' });
    }
  );

  test('ensures a control resource once, and saves it over what was there', async () => {
    const medplum = new MockClient();
    const source = sourceClient(medplum, { clock, random });
    await source.ensure(link);
    await source.ensure({ ...link, code: { text: 'other' } });
    const found = async (): Promise<string[]> =>
      (await medplum.searchResources('Basic')).map(({ code }) => code.text ?? '');
    expect(await found()).toEqual(['link']);
    await source.save({ ...link, code: { text: 'saved' } });
    expect(await found()).toEqual(['saved']);
  });

  test('records audit events', async () => {
    const medplum = new MockClient();
    const event = {
      resourceType: 'AuditEvent',
      type: { code: 'x' },
      recorded: '2026-01-01T00:00:00Z',
      agent: [{ requestor: true }],
      source: { observer: {} },
    } as AuditEvent;
    await sourceClient(medplum, { clock, random }).record(event);
    expect(await medplum.searchResources('AuditEvent')).toHaveLength(1);
  });

  test.each([
    ['403', 'forbidden', 'source-refused'],
    ['a server error', 'exception', 'source-unavailable'],
    ['the 503 of a gateway', 'transient', 'source-unavailable'],
    ['the 429 of a gateway', 'throttled', 'source-unavailable'],
    ['what a gateway refuses', 'invalid', 'source-refused'],
  ])('%s becomes a fault of ours that does not quote the server', async (_name, issue, code) => {
    const medplum = new MockClient();
    const outcome = {
      resourceType: 'OperationOutcome' as const,
      ...(issue === 'forbidden' && { id: issue }),
      issue: [{ severity: 'error' as const, code: issue, details: { text: 'Jane Doe' } }],
    };
    medplum.executeBatch = () => Promise.reject(new OperationOutcomeError(outcome as never));
    const error: unknown = await sourceClient(medplum, { clock, random })
      .read(['Patient/1'])
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(error) + String(error)).not.toContain('Jane');
  });

  test('a request that is never answered ends with its deadline', async () => {
    const medplum = new MockClient();
    medplum.executeBatch = () => new Promise(() => undefined);
    await expect(sourceClient(medplum, { clock: impatient, random }).read(['Patient/1'])).rejects.toMatchObject({
      code: 'source-unavailable',
    });
  });
});
