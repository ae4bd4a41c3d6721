import type { Observation, Patient } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { admit, all, consent, copies, createWorld, expected, held, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.close();
});

const NONE = { Patient: 0, Encounter: 0, Observation: 0 };
const loseEverything = (): void => world.sandbox.source.faults.loseSubscriptionEvents(() => true, 1000);

describe('a sweep repairs what no event has brought over', () => {
  test('a whole record, from nothing', async () => {
    loseEverything();
    const { patient } = await admit(world);
    await consent(world, patient);
    expect(await copies(world)).toEqual(NONE);
    expect(await world.sweep()).toMatchObject({ status: 200, body: { put: 3, isComplete: true } });
    expect(await held(world)).toEqual(await expected(world));
  });

  test('a change, a deletion, and a revocation', async () => {
    const { patient, encounter, pulse } = await admit(world);
    const { patient: other } = await admit(world, 'Roe');
    const given = await consent(world, patient);
    const second = await world.sandbox.source.repo.createResource<Observation>(observation(patient, encounter, 50));
    await consent(world, other);
    await world.settle();
    loseEverything();
    const { repo } = world.sandbox.source;
    await repo.updateResource<Observation>({ ...pulse, status: 'corrected' });
    await repo.deleteResource('Observation', second.id);
    await world.sweep();
    expect(await held(world)).toEqual(await expected(world));
    expect(await copies(world)).toEqual({ Patient: 2, Encounter: 2, Observation: 2 });
    await repo.updateResource({ ...given, status: 'inactive' });
    await world.sweep();
    expect(await held(world)).toEqual(await expected(world));
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
  });

  test('a deleted Consent', async () => {
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    loseEverything();
    await world.sandbox.source.repo.deleteResource('Consent', given.id);
    await world.sweep();
    expect(await copies(world)).toEqual(NONE);
  });

  test('a deleted Patient', async () => {
    const { patient } = await admit(world);
    await consent(world, patient);
    await world.settle();
    loseEverything();
    await world.sandbox.source.repo.deleteResource('Patient', patient.id);
    await world.sweep();
    expect(await copies(world)).toEqual(NONE);
  });

  test('a second copy under one token', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    const [copy] = await all<Observation>(world.sandbox, 'Observation', 'replica');
    const { id: _id, ...twin } = copy as Observation;
    await world.sandbox.replica.repo.createResource<Observation>(twin);
    // An event on a doubled copy meets 412, keeps one and writes it.
    await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, status: 'amended' });
    await world.settle();
    expect(await held(world)).toEqual(await expected(world));
  });
});

test('when nothing has changed, a sweep writes nothing and sends nothing but token searches', async () => {
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  await world.sweep();
  world.sent();
  const before = (await world.trail()).length;
  const swept = await world.sweep();
  expect(swept).toMatchObject({ body: { put: 0, withdrawn: 0, failed: 0 } });
  expect(world.sent().every(({ interaction }) => interaction === 'batch' || interaction.startsWith('search'))).toBe(
    true
  );
  expect((await world.trail()).length).toBe(before);
});

test('a sweep goes on from where it was: old rows are not read again', async () => {
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  await world.sweep();
  await world.sandbox.clock.advance(10 * 60_000);
  await world.sweep();
  expect(await world.sweep()).toMatchObject({ body: { unchanged: 0, put: 0 } });
  await world.sandbox.source.repo.updateResource<Patient>({ ...patient, gender: 'other' });
  await world.settle();
  expect(await world.sweep()).toMatchObject({ body: { unchanged: 3 } });
});

test('a sweep whose time runs out stops between patients, says so, and the next one goes on', async () => {
  loseEverything();
  for (const name of ['Doe', 'Roe', 'Poe']) {
    await consent(world, (await admit(world, name)).patient);
  }
  const stop = world.sandbox.replica.onRequest(() => {
    stop();
    // The sweep has 240 s: past the moment when it begins nothing new, before the one when it waits for nothing more.
    void world.sandbox.clock.advance(234_000);
  });
  expect(await world.sweep()).toMatchObject({ status: 200, body: { isComplete: false } });
  expect((await copies(world))['Patient']).toBeLessThan(3);
  expect(await world.sweep()).toMatchObject({ status: 200, body: { isComplete: true } });
  expect(await held(world)).toEqual(await expected(world));
});

describe('when the replica is not there', () => {
  test('a change that is refused is in the trail with a clear code, and the next sweep brings it', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    world.sandbox.replica.faults.failNext({ url: '/fhir/' }, { status: 400, times: 3 });
    await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, status: 'amended' });
    await world.settle();
    expect(world.sandbox.source.botRuns.at(-1)).toMatchObject({ success: true });
    expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('replica-rejected');
    expect((await world.trail()).at(-1)).toMatchObject({ outcome: '8', outcomeDesc: 'replica-rejected' });
    world.sandbox.replica.faults.clear();
    await world.sweep();
    expect(await held(world)).toEqual(await expected(world));
  });

  test('a sweep that cannot reach it answers 400 with the code, and does not move on', async () => {
    loseEverything();
    const { patient } = await admit(world);
    await consent(world, patient);
    world.sandbox.replica.faults.failNext({ url: '/fhir/' }, { status: 403, times: 100 });
    expect(await world.sweep()).toMatchObject({
      status: 400,
      body: { issue: [{ code: 'login' }, { details: { text: 'status 403' } }] },
    });
    world.sandbox.replica.faults.clear();
    await world.sweep();
    expect(await held(world)).toEqual(await expected(world));
  });

  test('one record that it refuses does not hold back the others', async () => {
    loseEverything();
    const { patient, encounter } = await admit(world);
    await world.sandbox.source.repo.createResource(observation(patient, encounter, 13));
    await consent(world, patient);
    world.sandbox.replica.faults.failNext(
      { where: ({ bytes }) => bytes.includes('"value":13') },
      { status: 422, times: 100 }
    );
    expect(await world.sweep()).toMatchObject({ body: { failed: 1, reasons: { 'replica-rejected': 1 } } });
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
  });

  test('an answer that is lost after the write is not written twice', async () => {
    const { patient } = await admit(world);
    world.sandbox.replica.faults.failNext(
      { method: 'POST', url: /R4\/?$/, where: ({ bytes }) => bytes.includes('"transaction"') },
      { afterwards: true }
    );
    await consent(world, patient);
    await world.settle();
    expect(await held(world)).toEqual(await expected(world));
  });

  test('a wrong secret sends nothing and says so', async () => {
    await world.close();
    world = await createWorld({ settings: { REPLICA_CLIENT_SECRET: 'wrong' } });
    const { patient } = await admit(world);
    await consent(world, patient);
    await world.settle();
    expect(world.sent()).toEqual([]);
    expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('replica-unauthorised');
  });

  test('credentials of another project send nothing', async () => {
    await world.close();
    world = await createWorld({ settings: { REPLICA_PROJECT_ID: 'somewhere-else' } });
    const { patient } = await admit(world);
    await consent(world, patient);
    await world.settle();
    expect(world.sent()).toEqual([]);
    expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('replica-wrong-project');
  });
});

test.each([
  ['incomplete settings', { PSEUDONYM_KEY: undefined, REPLICA_BASE_URL: 'nonsense' }, 'settings-invalid'],
  ['a placeholder key', { PSEUDONYM_KEY: 'CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE' }, 'settings-invalid'],
])('%s: every bot refuses to start, and sends nothing', async (_name, settings, code) => {
  await world.close();
  world = await createWorld({ settings });
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  expect(world.sandbox.source.botRuns.every(({ success, output }) => !success && output.includes(code))).toBe(true);
  expect(await world.sweep()).toMatchObject({ status: 400 });
  expect(world.sent()).toEqual([]);
});

test('with SYNC_ENABLED=false nothing is read, sent or recorded', async () => {
  await world.close();
  world = await createWorld({ settings: { SYNC_ENABLED: 'false' } });
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  expect(await world.sweep()).toMatchObject({ status: 200, body: { off: true } });
  expect([world.sent(), world.asked(), await world.trail()]).toEqual([[], [], []]);
});
