/** The built bot between two servers: who read what on the replica is known at the source. */
import type { AuditEvent, Observation } from '@medplum/fhirtypes';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { signIn } from '../../scripts/story/rest.ts';
import type { Rest } from '../../scripts/story/rest.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();
let world: World;
let operator: Rest;
beforeEach(async () => {
  world = await createWorld({ settings: { AUDIT_SIGNING_KEY: 'c3'.repeat(8) + '5a91be07d2f4681c'.repeat(3) } });
  const { source } = world.sandbox;
  operator = await signIn(source.baseUrl, await source.createClient('operator', { admin: true }));
});
afterEach(() => world.close());

const mirror = async (input: object = {}): Promise<Record<string, unknown>> =>
  (await operator.send(
    'POST',
    `Bot/$execute?identifier=${encodeURIComponent(`${systems.bot}|mirror-audit`)}`,
    input as never
  )) as unknown as Record<string, unknown>;

test('a reader of the replica is found under the patient of the source, once', async () => {
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  const { replica } = world.sandbox;
  const reader = await signIn(replica.baseUrl, await replica.createClient('reader', { admin: true }));
  const copy = (await all<Observation>(world.sandbox, 'Observation', 'replica'))[0];
  await reader.get(`Observation/${copy?.id}`);

  const first = await mirror();
  expect(first).toMatchObject({ errors: 0, isComplete: true });
  expect(first['mirrored']).toBe((await all<AuditEvent>(world.sandbox, 'AuditEvent', 'replica')).length);
  expect(await mirror()).toMatchObject({ mirrored: 0, errors: 0, skipped: first['mirrored'] });

  const page = await operator.get(
    `AuditEvent?type=${encodeURIComponent(`${systems.auditType}|FHIR_READ`)}&entity=Patient/${patient.id}`
  );
  const reads = ((page as { entry?: { resource: AuditEvent }[] }).entry ?? []).map(({ resource }) => resource);
  expect(reads).toHaveLength(1);
  expect(reads[0]?.entity?.[0]?.what?.identifier?.value).toBe(copy?.identifier?.[0]?.value);
  expect(reads[0]?.extension?.some(({ url }) => url === systems.eventMac)).toBe(true);
  expect(JSON.stringify(await all(world.sandbox, 'AuditEvent', 'source'))).not.toContain('Janeway');
});

test('each run that stored something is in the trail itself, and every event of ours has its keyed hash', async () => {
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  await mirror();
  await mirror();
  const ours = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type }) => type.system === systems.auditType
  );
  const runs = ours.filter(({ type }) => type.code === 'FHIR_AUDIT_MIRROR');
  expect(runs.length).toBeGreaterThan(0);
  expect(runs[0]?.outcome).toBe('0');
  expect(ours.every(({ extension }) => extension?.some(({ url }) => url === systems.eventMac))).toBe(true);
});
