/** Encrypted originals of every type that keeps them are compared as the copies are. */
import type { Basic, Observation } from '@medplum/fhirtypes';
import type { WithId } from '@medplum/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { originalIn } from '../../src/flows/payload.ts';
import type { Kept } from '../../src/flows/payload.ts';
import { setSettings } from '../support/callers.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const KEY = '6c1f0b7a94e2d358c05be8f1a7d4923065fe1cbb87a9d240e3c69f517b8ad204';
const NEXT_KEY = '1d94e0c72b5a86f3e17d60b4c982af35d01e6b7843c95fa2e8d07b16c34f9a52';

let world: World;
let pulse: WithId<Observation>;
beforeEach(async () => {
  world = await createWorld({ settings: { PAYLOAD_KEY: KEY }, originals: ['Patient', 'Observation'] });
  const admitted = await admit(world);
  pulse = admitted.pulse;
  await consent(world, admitted.patient);
  await world.settle();
  world.sandbox.source.faults.loseSubscriptionEvents(() => true, 100);
});
afterEach(async () => {
  await world.close();
});

async function originals(): Promise<(Kept & { type: string | undefined })[]> {
  const found = await all<Basic>(world.sandbox, 'Basic', 'source');
  return found
    .flatMap((one) => originalIn(systemsOf(), one) ?? [])
    .map((one) => ({ ...one, type: one.record.split('/')[0] }))
    .sort((a, b) => a.record.localeCompare(b.record));
}

async function enqueued(): Promise<unknown> {
  const { status, body } = await world.execute('reconcile');
  const { patients, encounters, observations } = body as Record<string, { enqueued: number; stale: number }>;
  return [status, patients?.enqueued, encounters?.enqueued, observations?.enqueued];
}

test('one that is missing is made, one of an older version made anew', async () => {
  const before = await originals();
  expect(before.map(({ type }) => type)).toEqual(['Observation', 'Patient']);
  expect(await enqueued()).toEqual([200, 0, 0, 0]);
  await world.sandbox.source.repo.deleteResource('Basic', before[0]?.id ?? '');
  expect(await enqueued()).toEqual([200, 0, 0, 1]);
  // The note does not leave, so that the copy stays as it is; the original has it.
  await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, note: [{ text: 'seen again' }] });
  expect(await enqueued()).toEqual([200, 0, 0, 1]);
  const record = await world.sandbox.source.repo.readResource<Observation>('Observation', pulse.id);
  expect((await originals())[0]).toMatchObject({ record: `Observation/${pulse.id}`, version: record.meta?.versionId });
  expect(await enqueued()).toEqual([200, 0, 0, 0]);
});

test('after a change of the key all are encrypted under the new one', async () => {
  await setSettings(world, { PAYLOAD_KEY: NEXT_KEY, PAYLOAD_KEY_VERSION: '2', PAYLOAD_KEY_PREVIOUS: KEY });
  const [before] = await originals();
  expect(await enqueued()).toEqual([200, 1, 0, 1]);
  const after = await originals();
  expect(new Set(after.map(({ kid }) => kid)).size).toBe(1);
  expect(after[0]?.kid).not.toBe(before?.kid);
  expect(await enqueued()).toEqual([200, 0, 0, 0]);
});
