import type { BundleEntry } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { aPatient, Api, reason } from './api.ts';
import type { Driver } from './api.ts';

const KIB = 1024;

export function limitRules(driver: () => Driver, api: () => Api): void {
  describe('sizes (platform.md 9.1-9.5)', () => {
    test('a JSON body of 1,023 KiB passes, and one of 1,025 KiB is 400 "File too large"', async () => {
      const id = await driver().deployBot('exports.handler = async () => ({ ran: true });');
      const execute = (kib: number): ReturnType<Api['fhir']> =>
        api().fhir(
          'POST',
          `Bot/${id}/$execute`,
          { x: 'x'.repeat(kib * KIB - 8) },
          { 'content-type': 'application/json' }
        );
      expect((await execute(1023)).status).toBe(200);
      const { status, body } = await execute(1025);
      expect([status, reason(body)]).toEqual([400, 'File too large']);
      expect((await api().fhir('POST', 'Patient', { ...aPatient(), language: 'x'.repeat(1025 * KIB) })).status).toBe(
        400
      );
    });

    test('plain text may have 100 KiB', async () => {
      const id = await driver().deployBot(
        'exports.handler = async (medplum, event) => ({ length: event.input.length });'
      );
      const execute = (kib: number): ReturnType<Api['fhir']> =>
        api().fhir('POST', `Bot/${id}/$execute`, 'x'.repeat(kib * KIB), { 'content-type': 'text/plain' });
      expect((await execute(99)).status).toBe(200);
      expect((await execute(101)).status).toBe(400);
    });

    test('a Binary of 2 MB can be written raw and is read raw', async () => {
      const content = 'x'.repeat(2_000_000);
      const { status, body } = await api().fhir('POST', 'Binary', content, { 'content-type': 'text/x-test' });
      expect([status, body.resourceType, body.contentType, body.data]).toEqual([
        201,
        'Binary',
        'text/x-test',
        undefined,
      ]);
      const raw = await api().fhir('GET', `Binary/${body.id}`);
      expect(raw.headers.get('content-type')).toBe('text/x-test');
      expect(raw.body).toBe(content);
      const resource = await api().fhir('GET', `Binary/${body.id}`, undefined, { accept: 'application/fhir+json' });
      expect(resource.body).toMatchObject({ resourceType: 'Binary', id: body.id });
    });

    test('a Binary resource as FHIR JSON is stored as such', async () => {
      const data = Buffer.from('hello').toString('base64');
      const { body } = await api().fhir('POST', 'Binary', { resourceType: 'Binary', contentType: 'text/plain', data });
      expect((await api().fhir('GET', `Binary/${body.id}`)).body).toBe('hello');
    });
  });

  describe('interaction units (platform.md 5.1-5.2)', () => {
    const MINUTE = 60_000;

    /** What an action costs: the difference of what the header says remains. */
    async function cost(
      action: (caller: Api) => Promise<unknown>,
      limit: (units: number | undefined) => void
    ): Promise<number> {
      const caller = new Api(driver().baseUrl, await driver().restrictedClient([{ resourceType: '*' }]));
      limit(50_000);
      const before = await remaining(caller);
      await action(caller);
      const after = await remaining(caller);
      limit(undefined);
      return before - after - 1;
    }
    async function remaining(caller: Api): Promise<number> {
      const { headers } = await caller.fhir('GET', 'Patient/00000000-0000-4000-8000-000000000000');
      return Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]);
    }
    const upsert = (patient: ReturnType<typeof aPatient>): [string, string, object] => [
      'PUT',
      `Patient?identifier=${patient.identifier[0].value}`,
      patient,
    ];

    test('each interaction has its price', async ({ skip }) => {
      const limit = driver().limitQuota ?? skip('the quota of this server cannot be set');
      const existing = await api().create(aPatient());
      const known = existing as unknown as ReturnType<typeof aPatient>;
      const condition = { 'if-none-exist': `identifier=${known.identifier[0].value}` };
      const entry = (patient: ReturnType<typeof aPatient>): BundleEntry => ({
        request: { method: 'PUT', url: `Patient?identifier=${patient.identifier[0].value}` },
        resource: patient,
      });
      const prices: [string, number, (caller: Api) => Promise<unknown>][] = [
        ['read', 1, (c) => c.fhir('GET', `Patient/${existing.id}`)],
        ['vread', 1, (c) => c.fhir('GET', `Patient/${existing.id}/_history/${existing.meta?.versionId}`)],
        ['history', 10, (c) => c.fhir('GET', `Patient/${existing.id}/_history`)],
        ['search', 20, (c) => c.fhir('GET', 'Patient?_count=1000')],
        ['search of several types', 20, (c) => c.fhir('GET', '?_type=Patient,Task')],
        ['create', 100, (c) => c.fhir('POST', 'Patient', aPatient())],
        ['unchanged update', 100, (c) => c.fhir('PUT', `Patient/${existing.id}`, existing)],
        ['patch', 100, (c) => c.fhir('PATCH', `Patient/${existing.id}`, [{ op: 'add', path: '/active', value: true }])],
        ['conditional update', 120, (c) => c.fhir(...upsert(known))],
        ['conditional update in a batch, existing', 120, (c) => c.bundle('batch', [entry(known)])],
        ['conditional update in a batch, new', 140, (c) => c.bundle('batch', [entry(aPatient())])],
        ['If-None-Exist that hits', 20, (c) => c.fhir('POST', 'Patient', aPatient(), condition)],
        ['$everything', 22, (c) => c.fhir('GET', `Patient/${existing.id}/$everything`)],
        [
          'transaction of three creates',
          300,
          (c) =>
            c.bundle(
              'transaction',
              Array.from({ length: 3 }, () => ({ request: { method: 'POST', url: 'Patient' }, resource: aPatient() }))
            ),
        ],
      ];
      const measured: [string, number][] = [];
      for (const [name, , action] of prices) {
        measured.push([name, await cost(action, limit)]);
      }
      expect(measured).toEqual(prices.map(([name, price]) => [name, price]));
    });

    test('when they are used up the answer is 429 throttled, without Retry-After, until the minute is over', async ({
      skip,
    }) => {
      const limit = driver().limitQuota ?? skip('the quota of this server cannot be set');
      const caller = new Api(driver().baseUrl, await driver().restrictedClient([{ resourceType: '*' }]));
      limit(150);
      expect((await caller.fhir('POST', 'Patient', aPatient())).status).toBe(201);
      const { status, body, headers } = await caller.fhir('POST', 'Patient', aPatient());
      expect([status, body.issue[0].code, headers.get('retry-after')]).toEqual([429, 'throttled', null]);
      expect(JSON.parse(body.issue[0].diagnostics ?? '')).toMatchObject({
        _remainingPoints: 0,
        _consumedPoints: 200,
        limit: 150,
      });
      expect(headers.get('ratelimit')).toMatch(/^"fhirInteractions";r=0;t=\d+$/);
      await driver().advance?.(MINUTE);
      expect((await caller.fhir('POST', 'Patient', aPatient())).status).toBe(201);
      limit(undefined);
    });

    test('a batch goes on until the quota and answers 429 for the rest; a transaction is 429 as a whole', async ({
      skip,
    }) => {
      const limit = driver().limitQuota ?? skip('the quota of this server cannot be set');
      const caller = new Api(driver().baseUrl, await driver().restrictedClient([{ resourceType: '*' }]));
      const entry = (): BundleEntry => ({ request: { method: 'POST', url: 'Patient' }, resource: aPatient() });
      limit(250);
      const batch = await caller.bundle('batch', [entry(), entry(), entry(), entry()]);
      expect([batch.status, batch.body.entry.map((e) => e.response.status)]).toEqual([
        200,
        ['201', '201', '429', '429'],
      ]);
      await driver().advance?.(MINUTE);
      expect((await caller.bundle('transaction', [entry(), entry(), entry()])).status).toBe(429);
      limit(undefined);
    });
  });
}
