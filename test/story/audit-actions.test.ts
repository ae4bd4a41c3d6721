/** The seeds' audit endpoints (§6.2, §6.3), asked of the built bot `admin`: the very fields that they list, and no others. */
import type { AuditEvent, Observation } from '@medplum/fhirtypes';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signIn } from '../../scripts/story/rest.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { askBot, client, setSettings } from '../support/callers.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let world: World;
let authorization: string;
let patientId: string;
let readerId: string;
let copy: Observation;

async function ask<T>(action: string, parameters: object = {}): Promise<T> {
  const { status, body } = await askBot(world, 'admin', authorization, { action, ...parameters });
  expect(status, JSON.stringify(body)).toBe(200);
  return body as T;
}
const refused = async (action: string, parameters: object): Promise<number> =>
  (await askBot(world, 'admin', authorization, { action, ...parameters })).status;

interface Found {
  readonly count: number;
  readonly events: readonly {
    readonly id: string;
    readonly eventType: string;
    readonly orgId?: string;
    readonly agent: object;
    readonly entities: readonly { readonly what: string }[];
  }[];
}
const search = (parameters: object): Promise<Found> => ask('audit-mirror/search', parameters);

beforeAll(async () => {
  world = await createWorld({ settings: { AUDIT_SIGNING_KEY: 'c3'.repeat(8) + '5a91be07d2f4681c'.repeat(3) } });
  const program = await client(world);
  authorization = program.authorization;
  await setSettings(world, { ADMIN_CLIENTS: program.reference });
  const { patient } = await admit(world);
  patientId = patient.id;
  await consent(world, patient);
  await world.settle();
  const { replica } = world.sandbox;
  const reader = await replica.createClient('reader', { admin: true });
  readerId = reader.id;
  [copy] = (await all<Observation>(world.sandbox, 'Observation', 'replica')) as [Observation];
  await (await signIn(replica.baseUrl, reader)).get(`Observation/${copy.id}`);
  await replica.repo.createResource<AuditEvent>({
    resourceType: 'AuditEvent',
    type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' },
    action: 'U',
    recorded: '2024-01-15T10:00:00.000Z',
    outcome: '0',
    agent: [{ requestor: true, who: { reference: 'Practitioner/prac-123' } }],
    source: { observer: { reference: 'Device/1' } },
    entity: [{ what: { reference: 'Organization/org-abc123' } }],
  });
});
afterAll(() => world.close());

test('audit-mirror/run and audit-mirror/cron answer the seeds’ MirrorResult', async () => {
  const first = await ask<{ success: boolean; result: Record<string, unknown> }>('audit-mirror/run', { limit: 2 });
  expect(first.success).toBe(true);
  expect(first.result).toMatchObject({
    startTime: expect.stringMatching(INSTANT),
    endTime: expect.stringMatching(INSTANT),
    lastSyncedAt: expect.stringMatching(INSTANT),
    durationMs: expect.any(Number),
    fetched: expect.any(Number),
    mirrored: 2,
    skipped: 0,
    errors: 0,
    isComplete: false,
  });
  const there = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'replica')).length;
  const { result } = await ask<{ result: Record<string, unknown> }>('audit-mirror/cron', {
    forceSince: '2020-01-01T00:00:00Z',
  });
  expect(result).toMatchObject({ mirrored: there - 2, skipped: 2, isComplete: true });
  expect(await refused('audit-mirror/run', { limit: 0 })).toBe(400);
  expect(await refused('audit-mirror/run', { forceSince: 'yesterday' })).toBe(400);
});

test('audit-mirror/stats answers the seeds’ statistics', async () => {
  const there = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'replica')).length;
  const answer = await ask<{ stats: { recentRuns: unknown[] } }>('audit-mirror/stats');
  expect(answer).toEqual({
    success: true,
    stats: {
      lastRun: expect.stringMatching(INSTANT),
      lastSyncedAt: expect.stringMatching(INSTANT),
      totalMirrored: there,
      recentRuns: [
        { timestamp: expect.stringMatching(INSTANT), mirrored: there - 2, skipped: 2, errors: 0 },
        { timestamp: expect.stringMatching(INSTANT), mirrored: 2, skipped: 0, errors: 0 },
      ],
    },
  });
});

test('audit-mirror/search answers the seeds’ events, by the server’s search', async () => {
  world.asked();
  const { count, events } = await search({ entityReference: `Patient/${patientId}`, eventTypes: 'FHIR_READ' });
  const searches = world.asked().filter(({ url }) => /AuditEvent\?.*FHIR_READ/.test(url));
  expect([count, events.length, searches.length]).toEqual([1, 1, 1]);
  expect(events[0]).toEqual({
    id: expect.any(String),
    ts: expect.stringMatching(INSTANT),
    eventType: 'FHIR_READ',
    action: 'R',
    outcome: '0',
    agent: { who: `ClientApplication/${readerId}`, requestor: true },
    entities: [
      expect.objectContaining({ what: copy.identifier?.[0]?.value }),
      { what: `Patient/${patientId}`, type: '1', role: '1' },
      expect.objectContaining({ what: expect.stringMatching(/^AuditEvent\//) }),
    ],
  });
  const token = copy.identifier?.[0]?.value ?? '';
  expect((await search({ entityReference: `Observation/${token}`, eventTypes: 'FHIR_READ' })).events).toEqual(events);
});

test('audit-mirror/search looks for organization, agent and time, and shows a page', async () => {
  const [updated] = (await search({ orgId: 'org-abc123' })).events;
  expect(updated).toMatchObject({
    eventType: 'FHIR_UPDATE',
    orgId: 'org-abc123',
    agent: { who: 'Practitioner/prac-123' },
  });
  expect((await search({ agentReference: 'Practitioner/prac-123' })).events).toEqual([updated]);
  expect((await search({ until: '2024-12-31' })).events).toEqual([updated]);
  expect((await search({ since: '2024-01-15', until: '2024-01-16', eventTypes: 'FHIR_UPDATE' })).count).toBe(1);
  expect((await search({ since: '2025-01-01' })).events).not.toContainEqual(updated);
  expect((await search({ limit: 1 })).count).toBe(1);
  expect((await search({ orgId: 'org-other' })).count).toBe(0);
  expect(await refused('audit-mirror/search', { eventTypes: 'FHIR_SYNC' })).toBe(400);
});

test('exports/list answers the seeds’ list', async () => {
  const given = await askBot(world, 'export', authorization, { patient: patientId });
  expect(given.status).toBe(200);
  const [link] = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type }) => type.code === 'FHIR_EXPORT'
  );
  const token = link?.entity?.find(({ role }) => role?.code === '1')?.what?.identifier?.value;
  expect(token).toMatch(/^pt_/);
  expect(await ask('exports/list')).toEqual({
    success: true,
    count: 1,
    exports: [
      {
        timestamp: expect.stringMatching(INSTANT),
        correlationId: expect.any(String),
        userId: expect.stringMatching(/^ClientApplication\//),
        patientTokenId: token,
        resourceCount: (given.body['entry'] as unknown[]).length,
      },
    ],
  });
});

test('audit/report accounts for one patient, and is CSV when asked', async () => {
  interface Report {
    readonly rows: readonly { readonly type: string; readonly recipient: string }[];
    readonly count: number;
  }
  const of = await ask<Report>('audit/report', { kind: 'disclosures', patient: patientId });
  expect(new Set(of.rows.map(({ type }) => type))).toEqual(new Set(['FHIR_SYNC', 'FHIR_READ', 'FHIR_EXPORT']));
  expect(of.count).toBe(of.rows.length);
  const { patient } = await admit(world, 'Other');
  expect((await ask<Report>('audit/report', { kind: 'disclosures', patient: patient.id })).rows).toEqual([]);
  const { csv } = await ask<{ csv: string }>('audit/report', { kind: 'exports', csv: true });
  expect(csv.split('\r\n')).toHaveLength(3);
  expect(await refused('audit/report', { kind: 'names' })).toBe(400);
});

test('audit/report says where the days that it was asked about begin to be in archives', async () => {
  interface Report {
    readonly archivedBefore?: string;
  }
  const ask90 = await ask<Report>('audit/report', { kind: 'exports' });
  expect(ask90.archivedBefore).toBeUndefined();
  const { archivedBefore = '' } = await ask<Report>('audit/report', { kind: 'exports', days: 400 });
  const daysAgo = (world.sandbox.source.clock.now() - Date.parse(archivedBefore)) / 86_400_000;
  expect(Math.round(daysAgo)).toBe(365);
});

test('each ask is in the trail, a change before it is made', async () => {
  const asked = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type, subtype }) => type.code === 'FHIR_ADMIN' && subtype?.[0]?.code === 'audit-mirror/run'
  );
  const results = asked.map(({ outcomeDesc }) => outcomeDesc);
  expect(results).toEqual(expect.arrayContaining(['begun', 'done']));
  expect(asked.every(({ type }) => type.system === systems.auditType)).toBe(true);
});
