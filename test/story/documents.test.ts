/** Documentation follows when its Encounter is finished, by the setting. Both servers, in the vm. */
import type { WithId } from '@medplum/core';
import type { DiagnosticReport, DocumentReference, Encounter, Observation, Patient } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Explanation } from '../../src/flows/sync/explain.ts';
import { askBot, client, setSettings } from '../support/callers.ts';
import {
  admit,
  all,
  consent,
  copies,
  createWorld,
  expected,
  held,
  noteOf,
  observation,
  reportOf,
} from '../support/world.ts';
import type { World } from '../support/world.ts';

const HELD = 'DocumentReference,DiagnosticReport';
const STAY = { Patient: 1, Encounter: 1, Observation: 1 };
const DONE = { ...STAY, DiagnosticReport: 1, DocumentReference: 1 };

let world: World;
let patient: WithId<Patient>;
let encounter: WithId<Encounter>;
beforeEach(async () => {
  world = await createWorld({ settings: { DOCUMENTS_WHEN_FINISHED: HELD } });
  const admitted = await admit(world);
  ({ patient } = admitted);
  encounter = await turn('in-progress', admitted.encounter);
  await consent(world, patient);
  await world.settle();
});
afterEach(async () => {
  await world.close();
});

async function turn(status: Encounter['status'], from = encounter): Promise<WithId<Encounter>> {
  return world.sandbox.source.repo.updateResource<Encounter>({ ...from, status });
}
const loseEverything = (): void => world.sandbox.source.faults.loseSubscriptionEvents(() => true, 1000);

async function write(): Promise<readonly [WithId<DocumentReference>, WithId<DiagnosticReport>]> {
  const { repo } = world.sandbox.source;
  return [
    await repo.createResource<DocumentReference>(noteOf(patient, encounter)),
    await repo.createResource<DiagnosticReport>(reportOf(patient, encounter)),
  ];
}

/** What is on the replica, and that it is what the rules say. */
async function there(): Promise<Record<string, number>> {
  expect(await held(world)).toEqual(await expected(world));
  return copies(world);
}

async function reasons(): Promise<unknown[]> {
  const said = (await world.trail()).flatMap(({ entity = [] }) => entity);
  return said
    .filter(({ what }) => /^D/.test(what?.reference ?? ''))
    .flatMap(({ detail = [] }) => detail.find(({ type }) => type === 'reason')?.valueString ?? []);
}

describe('while an Encounter goes on', () => {
  test('nothing of its documentation leaves; once it is finished, its own change brings it', async () => {
    world.sent();
    await write();
    await world.settle();
    expect(await there()).toEqual(STAY);
    expect(world.sent().filter(({ method }) => !['GET', 'DELETE'].includes(method))).toEqual([]);
    expect(new Set(await reasons())).toEqual(new Set(['encounter-unfinished']));
    await turn('finished');
    await world.settle();
    expect(await there()).toEqual(DONE);
  });

  test('a hundred documents come with as many requests as their pages take', async () => {
    const { repo } = world.sandbox.source;
    for (let count = 0; count < 100; count++) {
      await repo.createResource<DocumentReference>(noteOf(patient, encounter));
    }
    await world.settle();
    world.sent();
    await turn('finished');
    await world.settle();
    expect(await there()).toEqual({ ...STAY, DocumentReference: 100 });
    expect(world.sent().length).toBeLessThan(15);
  });

  test('what is no documentation leaves, and so does documentation of no Encounter', async () => {
    const { repo } = world.sandbox.source;
    await repo.createResource<Observation>(observation(patient, encounter, 99));
    await repo.createResource<DocumentReference>(noteOf(patient));
    await world.settle();
    expect(await there()).toEqual({ ...STAY, Observation: 2, DocumentReference: 1 });
  });

  test('a note of two Encounters waits for both', async () => {
    const { repo } = world.sandbox.source;
    const { id: _id, meta: _meta, ...content } = encounter;
    const second = (await repo.createResource({ ...content, status: 'in-progress' })) as WithId<Encounter>;
    await repo.createResource<DocumentReference>(noteOf(patient, encounter, second));
    await turn('finished');
    await world.settle();
    expect(await there()).toEqual({ ...STAY, Encounter: 2 });
    await turn('finished', second);
    await world.settle();
    expect(await there()).toEqual({ ...STAY, Encounter: 2, DocumentReference: 1 });
  });
});

describe('once it is no longer finished, the copies go', () => {
  beforeEach(async () => {
    encounter = await turn('finished');
    await write();
    await world.settle();
    expect(await there()).toEqual(DONE);
  });

  test.each(['in-progress', 'entered-in-error'] as const)('%s', async (status) => {
    await turn(status);
    await world.settle();
    expect(await there()).toEqual(STAY);
    expect((await reasons()).filter((reason) => reason === 'encounter-unfinished')).toHaveLength(2);
  });

  test('deleted', async () => {
    await world.sandbox.source.repo.deleteResource('Encounter', encounter.id);
    await world.settle();
    expect(await there()).toEqual({ ...STAY, Encounter: 0 });
  });

  test('another patient’s', async () => {
    const { patient: other } = await admit(world, 'Roe');
    await world.sandbox.source.repo.updateResource<Encounter>({
      ...encounter,
      subject: { reference: `Patient/${other.id}` },
    });
    await world.settle();
    expect(await there()).toEqual({ ...STAY, Encounter: 0 });
  });

  test('by the sweep, when every event was lost, and back by it', async () => {
    await world.sweep();
    // So that of all records only the Encounter is new to the next sweep.
    await world.sandbox.clock.advance(10 * 60_000);
    loseEverything();
    encounter = await turn('in-progress');
    expect(await world.sweep()).toMatchObject({ status: 200, body: { withdrawn: 2 } });
    expect(await there()).toEqual(STAY);
    await world.sandbox.clock.advance(10 * 60_000);
    encounter = await turn('finished');
    expect(await world.sweep()).toMatchObject({ status: 200, body: { isComplete: true } });
    expect(await there()).toEqual(DONE);
  });

  test('by a run that finds the replica down: as a job', async () => {
    world.sandbox.replica.faults.failNext({ url: '/' }, { status: 503, times: 100 });
    await turn('in-progress');
    await world.settle();
    world.sandbox.replica.faults.clear();
    await world.sandbox.clock.advance(5 * 60_000);
    expect(await world.retryJobs()).toMatchObject({ status: 200 });
    expect(await there()).toEqual(STAY);
  });

  test('reconcile counts them as withheld, and brings in line what was there before the setting', async () => {
    await setSettings(world, { DOCUMENTS_WHEN_FINISHED: 'NONE' });
    await turn('in-progress');
    await world.settle();
    expect(await copies(world)).toEqual(DONE);
    await setSettings(world, { DOCUMENTS_WHEN_FINISHED: HELD });
    const { body } = await world.execute('reconcile', { types: ['DocumentReference', 'DiagnosticReport'] });
    expect(body).toMatchObject({
      documentReferences: { total: 1, withheld: 1, orphaned: 1, enqueued: 1 },
      diagnosticReports: { total: 1, withheld: 1, orphaned: 1, enqueued: 1 },
    });
    expect(await there()).toEqual(STAY);
    loseEverything();
    await turn('finished');
    const again = await world.execute('reconcile', {});
    expect(again.body).toMatchObject({ documentReferences: { total: 1, withheld: 0, notSynced: 1, enqueued: 1 } });
    expect(await there()).toEqual(DONE);
  });
});

test('explain says what they wait for', async () => {
  const [note] = await write();
  const program = await client(world);
  await setSettings(world, { ADMIN_CLIENTS: program.reference });
  const ask = async (input: object): Promise<Record<string, unknown>> =>
    (await askBot(world, 'admin', program.authorization, { action: 'explain', patient: patient.id, ...input })).body;
  const { records } = await ask({ resource: [`DocumentReference/${note.id}`] });
  expect(records as Explanation[]).toMatchObject([
    { would: 'erase', reason: 'encounter-unfinished', decision: { decision: 'permit' } },
  ]);
  expect((records as Explanation[])[0]?.says).toMatch(/^Held back until each Encounter that it documents is finished/);
  expect((await ask({})).types).toContainEqual({ type: 'DiagnosticReport', records: 1, 'encounter-unfinished': 1 });
});

test('without the setting they are copied like other records', async () => {
  await setSettings(world, { DOCUMENTS_WHEN_FINISHED: '' });
  await write();
  await world.settle();
  expect((await all(world.sandbox, 'DiagnosticReport', 'replica')).length).toBe(1);
  expect(await there()).toEqual(DONE);
});
