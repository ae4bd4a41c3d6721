/** What cannot be delivered becomes a job, and every job is done in the end. */
import type { WithId } from '@medplum/core';
import type { Basic, Consent, Observation, Patient, Project, Task } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { controlOf } from '../../src/queue/control.ts';
import { stateOf, typeOf } from '../../src/queue/job.ts';
import { admit, all, consent, copies, createWorld, expected, held, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const systems = systemsOf();

let world: World;
beforeEach(async () => {
  world = await createWorld({ settings: { REPLICA_TIMEOUT_MS: '2000' } });
});
afterEach(async () => {
  await world.close();
});

/** Everything that is sent to the replica fails, also what asks whether it is there. */
const takeDown = (): void => world.sandbox.replica.faults.failNext({}, { status: 403, times: 1_000_000 });
/** As a server does that finds two copies where we find one. */
const refuse = (): void =>
  world.sandbox.replica.faults.failNext(
    { where: ({ bytes }) => bytes.includes('"value":13') },
    { status: 412, times: 1000 }
  );
const bringBack = (): void => world.sandbox.replica.faults.clear();

async function jobs(): Promise<{ type: string; status: string; attempts: number; reason: string | undefined }[]> {
  const tasks = await all<Task>(world.sandbox, 'Task', 'source');
  return tasks
    .map((task) => {
      const { attempts, reason } = stateOf(systems, task);
      return { type: typeOf(systems, task), status: `${task.status}`, attempts, reason };
    })
    .sort((a, b) => a.type.localeCompare(b.type));
}

async function breaker(): Promise<string | undefined> {
  const controls = await all<Basic>(world.sandbox, 'Basic', 'source');
  const control = controls.find(({ code }) => code.coding?.[0]?.code === 'queue');
  return controlOf(systems, control).open?.reason;
}

async function copied(): Promise<{ pulse: WithId<Observation>; given: WithId<Consent> }> {
  const { patient, pulse } = await admit(world);
  const given = await consent(world, patient);
  await world.settle();
  world.sent();
  return { pulse, given };
}

const correct = async (pulse: WithId<Observation>, value: number): Promise<void> => {
  await world.sandbox.source.repo.updateResource<Observation>({
    ...pulse,
    valueQuantity: { ...pulse.valueQuantity, value },
  });
  await world.settle();
};

describe('a replica that is down', () => {
  test('opens the breaker: a change becomes a job, and the next ones do not even try', async () => {
    const { pulse } = await copied();
    takeDown();
    await correct(pulse, 99);
    expect(world.sandbox.source.botRuns.at(-1)).toMatchObject({ success: true });
    expect(await breaker()).toBe('replica-unauthorised');
    const held = { type: 'observation-sync', status: 'requested', attempts: 0, reason: 'replica-unauthorised' };
    expect(await jobs()).toEqual([held]);
    expect((await world.trail()).at(-1)).toMatchObject({ outcome: '8', outcomeDesc: 'replica-unauthorised' });
    world.sent();
    await correct(pulse, 98);
    await correct(pulse, 97);
    expect(world.sent()).toEqual([]);
    expect(await jobs()).toEqual([held]);
  });

  test('for 72 hours: one probe a minute, no attempt used, and all is delivered within a minute of its return', async () => {
    const { pulse, given } = await copied();
    const { patient: other } = await admit(world, 'Roe');
    takeDown();
    await correct(pulse, 99);
    for (let hour = 0; hour < 72; hour++) {
      await world.sandbox.clock.advance(HOUR);
      world.sent();
      expect(await world.retryJobs()).toMatchObject({ status: 200, body: { held: 'replica-unauthorised' } });
      expect(world.sent().length).toBeLessThanOrEqual(1);
      if (hour === 30) {
        await world.sandbox.source.repo.updateResource<Consent>({ ...given, status: 'inactive' });
        await consent(world, other);
        await world.settle();
      }
    }
    expect((await jobs()).map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    bringBack();
    await world.sandbox.clock.advance(MINUTE);
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { done: 3, failed: 0, held: 0 } } });
    expect(await breaker()).toBeUndefined();
    expect(await held(world)).toEqual(await expected(world));
    expect((await copies(world))['Patient']).toBe(1);
    // The second look after the erasure is what is left.
    expect((await jobs()).filter(({ status }) => status !== 'completed')).toMatchObject([
      { type: 'patient-second-look' },
    ]);
  });

  test('that comes back without the parents of a record gets them along with it', async () => {
    const { pulse } = await copied();
    takeDown();
    await correct(pulse, 99);
    const { repo } = world.sandbox.replica;
    for (const type of ['Observation', 'Encounter', 'Patient'] as const) {
      for (const { id } of await all(world.sandbox, type, 'replica')) {
        await repo.deleteResource(type, id);
      }
    }
    bringBack();
    await world.sandbox.clock.advance(MINUTE);
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { done: 1, failed: 0, held: 0 } } });
    expect(await copies(world)).toMatchObject({ Patient: 1, Encounter: 1, Observation: 1 });
    expect(await held(world)).toEqual(await expected(world));
  });

  test('that has got a second copy of a parent meanwhile loses it, and takes the record', async () => {
    const { pulse } = await copied();
    takeDown();
    await correct(pulse, 99);
    const { repo } = world.sandbox.replica;
    const [copy] = await all<Patient>(world.sandbox, 'Patient', 'replica');
    const { id: _id, ...same } = copy as WithId<Patient>;
    await repo.createResource<Patient>(same);
    bringBack();
    await world.sandbox.clock.advance(MINUTE);
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { done: 1, failed: 0, refused: 0 } } });
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    expect((await held(world)).filter((text) => text.includes('Observation') && text.includes('dangling'))).toEqual([]);
  });

  test.each([
    ['for a change', async (pulse: WithId<Observation>): Promise<void> => correct(pulse, 13)],
    [
      'for a job',
      async (pulse: WithId<Observation>): Promise<void> => {
        takeDown();
        await correct(pulse, 13);
        bringBack();
        refuse();
        await world.sandbox.clock.advance(MINUTE);
        await world.retryJobs();
      },
    ],
  ])('that answers 412 however often second copies are looked for: a dead letter at once, %s', async (_name, meet) => {
    const { pulse } = await copied();
    refuse();
    await meet(pulse);
    expect(await jobs()).toEqual([
      { type: 'observation-sync', status: 'failed', attempts: 1, reason: 'replica-duplicate' },
    ]);
    expect(await breaker()).toBeUndefined();
  });

  test('a record at which only it stumbles does not hold back the others, and is a dead letter after three attempts', async () => {
    const { pulse } = await copied();
    const { patient, encounter } = await admit(world, 'Roe');
    await consent(world, patient);
    await world.settle();
    world.sandbox.replica.faults.failNext(
      { where: ({ bytes }) => bytes.includes('"value":13') },
      { status: 403, times: 1000 }
    );
    await correct(pulse, 13);
    expect(await breaker()).toBeUndefined();
    await world.sandbox.source.repo.createResource(observation(patient, encounter, 50));
    await world.settle();
    for (let run = 0; run < 4; run++) {
      await world.sandbox.clock.advance(30 * MINUTE);
      expect(await world.retryJobs()).toMatchObject({ status: 200 });
    }
    expect(await jobs()).toEqual([
      { type: 'observation-sync', status: 'failed', attempts: 3, reason: 'replica-unauthorised' },
    ]);
    expect((await copies(world))['Observation']).toBe(3);
  });
});

describe('what the replica refuses', () => {
  test('is a dead letter at once, and a newer version of the record opens it again', async () => {
    const { pulse } = await copied();
    const refuse = { where: ({ bytes }: { bytes: Buffer }) => bytes.includes('"value":13') };
    world.sandbox.replica.faults.failNext(refuse, { status: 422, times: 1000 });
    await correct(pulse, 13);
    expect(await jobs()).toEqual([
      { type: 'observation-sync', status: 'failed', attempts: 1, reason: 'replica-rejected' },
    ]);
    await correct(pulse, 14);
    expect(await held(world)).toEqual(await expected(world));
  });

  test('is found by a sweep as well, and kept', async () => {
    const { patient, encounter } = await admit(world);
    world.sandbox.source.faults.loseSubscriptionEvents(() => true, 1000);
    await world.sandbox.source.repo.createResource(observation(patient, encounter, 13));
    await consent(world, patient);
    const refuse = { where: ({ bytes }: { bytes: Buffer }) => bytes.includes('"value":13') };
    world.sandbox.replica.faults.failNext(refuse, { status: 422, times: 1000 });
    await world.sweep();
    await world.sweep();
    expect(await jobs()).toEqual([
      { type: 'observation-sync', status: 'failed', attempts: 1, reason: 'replica-rejected' },
    ]);
  });
});

describe('runs that overlap or die', () => {
  test('two runs at once do each job once', async () => {
    const { pulse } = await copied();
    takeDown();
    await correct(pulse, 99);
    bringBack();
    await world.sandbox.clock.advance(2 * MINUTE);
    const [one, two] = (await Promise.all([world.retryJobs(), world.retryJobs()])) as {
      body: { jobs: { done: number } };
    }[];
    expect((one?.body.jobs.done ?? 0) + (two?.body.jobs.done ?? 0)).toBe(1);
    expect(await held(world)).toEqual(await expected(world));
  });

  test('what a dead run has left is taken over when its lease ends, not before', async () => {
    const { pulse } = await copied();
    takeDown();
    await correct(pulse, 99);
    bringBack();
    const [task] = await all<Task>(world.sandbox, 'Task', 'source');
    const until = new Date(world.sandbox.clock.now() + 10 * MINUTE).toISOString();
    await world.sandbox.source.repo.updateResource<Task>({
      ...(task as Task),
      status: 'in-progress',
      executionPeriod: { start: until },
    });
    await world.sandbox.clock.advance(5 * MINUTE);
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { done: 0 } } });
    await world.sandbox.clock.advance(6 * MINUTE);
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { done: 1 } } });
    expect(await held(world)).toEqual(await expected(world));
  });

  test('when not even the job can be stored, the run fails', async () => {
    const { pulse } = await copied();
    takeDown();
    world.sandbox.source.faults.failNext({ method: 'POST', url: /Task/ }, { status: 403, times: 100 });
    await correct(pulse, 99);
    expect(world.sandbox.source.botRuns.at(-1)).toMatchObject({ success: false });
    expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('replica-unauthorised');
  });
});

test('a record that was moved to another patient leaves no copy behind, also by way of the queue', async () => {
  const { pulse } = await copied();
  const { patient: other } = await admit(world, 'Roe');
  await consent(world, other);
  await world.settle();
  takeDown();
  const { encounter: _encounter, ...rest } = pulse;
  await world.sandbox.source.repo.updateResource<Observation>({
    ...rest,
    subject: { reference: `Patient/${other.id}` },
  });
  await world.settle();
  bringBack();
  await world.sandbox.clock.advance(2 * MINUTE);
  await world.retryJobs();
  expect(await held(world)).toEqual(await expected(world));
});

test('for a patient without Consent nothing is queued while the replica is down', async () => {
  const { pulse } = await copied();
  takeDown();
  await correct(pulse, 99);
  await admit(world, 'Roe');
  await world.settle();
  expect(await jobs()).toHaveLength(1);
});

test('nothing of a patient stands in a job', async () => {
  const { pulse, given } = await copied();
  takeDown();
  await correct(pulse, 99);
  await world.sandbox.source.repo.updateResource<Consent>({ ...given, status: 'inactive' });
  await world.settle();
  const text = JSON.stringify(await all<Task>(world.sandbox, 'Task', 'source'));
  expect(text).not.toMatch(/Doe|Janeway|MRN|Heart rate|8867-4|1971/);
});

describe('an ADMIN', () => {
  const ask = async (action: string, parameters: object = {}): Promise<{ status: number; body: unknown }> => {
    const { source } = world.sandbox;
    const answer = await fetch(
      `${source.baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systems.bot}|admin`)}`,
      {
        method: 'POST',
        headers: { authorization: await adminHeader(world), 'content-type': 'application/json' },
        body: JSON.stringify({ action, ...parameters }),
      }
    );
    return { status: answer.status, body: await answer.json() };
  };

  test('sees counts and dead letters, retries and discards', async () => {
    const { pulse } = await copied();
    const refuse = { where: ({ bytes }: { bytes: Buffer }) => bytes.includes('"value":13') };
    world.sandbox.replica.faults.failNext(refuse, { status: 422, times: 1000 });
    await correct(pulse, 13);
    const counts = { waiting: 0, active: 0, completed: 0, failed: 1, delayed: 0, paused: 0 };
    expect(await ask('queue/stats')).toMatchObject({
      status: 200,
      body: { success: true, stats: counts, held: false },
    });
    const { body } = await ask('queue/failed', { limit: 5 });
    expect(body).toMatchObject({
      success: true,
      count: 1,
      jobs: [
        {
          name: 'observation-sync',
          data: { focus: `Observation/${pulse.id}` },
          failedReason: 'replica-rejected',
          attemptsMade: 1,
        },
      ],
    });
    expect(await ask('queue/retry', { dryRun: true })).toMatchObject({ body: { matched: 1, changed: 0 } });
    expect(await ask('queue/retry', { reason: 'contention' })).toMatchObject({ body: { matched: 0, changed: 0 } });
    expect(await ask('queue/retry', { type: 'observation-sync' })).toMatchObject({ body: { matched: 1, changed: 1 } });
    expect(await ask('queue/stats')).toMatchObject({ body: { stats: { ...counts, failed: 0, waiting: 1 } } });
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { refused: 1 } } });
    expect(await ask('queue/discard', { because: 'not-needed' })).toMatchObject({ body: { changed: 1 } });
    expect(await jobs()).toMatchObject([{ status: 'cancelled', reason: 'not-needed' }]);
    expect(await ask('queue/clean')).toMatchObject({ body: { removed: { cancelled: 0 } } });
    await world.sandbox.clock.advance(31 * 24 * HOUR);
    expect(await ask('queue/clean')).toMatchObject({ body: { removed: { cancelled: 1 } } });
    expect(await jobs()).toEqual([]);
  });

  test('pauses: nothing is sent and nothing is lost; resumes: all is delivered', async () => {
    const { pulse } = await copied();
    expect(await ask('queue/pause')).toMatchObject({ body: { success: true, held: 'paused' } });
    await correct(pulse, 99);
    expect(await world.retryJobs()).toMatchObject({ body: { held: 'paused' } });
    expect(await world.sweep()).toMatchObject({ body: { held: 'paused', isComplete: false } });
    expect(world.sent()).toEqual([]);
    expect(await ask('queue/stats')).toMatchObject({ body: { stats: { waiting: 0, paused: 1 }, held: 'paused' } });
    expect(await ask('queue/resume')).toMatchObject({ body: { held: false } });
    expect(await world.retryJobs()).toMatchObject({ body: { jobs: { done: 1 } } });
    expect(await held(world)).toEqual(await expected(world));
  });
});

async function adminHeader({ sandbox: { source } }: World): Promise<string> {
  const operator = await source.createClient('operator', { admin: true });
  const project = await source.repo.readResource<Project>('Project', source.projectId);
  const secrets = (project.secret ?? []).map(({ name, valueString = '' }) => [name, valueString] as const);
  await source.setSecrets({ ...Object.fromEntries(secrets), ADMIN_CLIENTS: `ClientApplication/${operator.id}` });
  return `Basic ${Buffer.from(`${operator.id}:${operator.secret}`).toString('base64')}`;
}
