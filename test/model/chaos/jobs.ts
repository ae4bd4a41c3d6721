/** The queue at the end of a history: no job has vanished, none is stuck, and a dead letter says why. */
import type { WithId } from '@medplum/core';
import type { Task } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { ordered } from '../../../src/queue/change.ts';
import { controlOf } from '../../../src/queue/control.ts';
import { stateOf } from '../../../src/queue/job.ts';
import { all } from '../../support/world.ts';
import type { World } from '../../support/world.ts';
import { must } from './broken.ts';
import { controlIn } from './settings.ts';

const MINUTE = 60_000;
/** Ticks of `retry-jobs` after which a queue that nothing holds is empty: three attempts with their rests, a lease, a second look. */
const MOST_TICKS = 40;

/** All jobs there are. */
export function jobsIn({ sandbox }: World): Promise<WithId<Task>[]> {
  return all<Task>(sandbox, 'Task', 'source');
}

/**
 * A person looks at the dead letters, finds the reason on each, and has them tried again.
 *
 * @param world - The world; its faults are over.
 * @returns How many there were.
 */
export async function retryDeadLetters(world: World): Promise<number> {
  const { repo, clock } = world.sandbox.source;
  const dead = (await jobsIn(world)).filter(({ status }) => status === 'failed');
  for (const task of dead) {
    const { reason, attempts } = stateOf(systemsOf(), task);
    must(reason !== undefined && attempts > 0, `a dead letter without reason or attempts: ${JSON.stringify(task)}`);
    await repo.updateResource<Task>(ordered(systemsOf(), task, 'retry', clock.now()) as Task);
  }
  return dead.length;
}

/**
 * Ticks `retry-jobs` until nothing is left but looks that were arranged for a later time.
 *
 * @param world - The world; its faults are over.
 */
export async function drainAll(world: World): Promise<void> {
  const { clock } = world.sandbox;
  for (let tick = 0; tick < MOST_TICKS; tick++) {
    const open = (await jobsIn(world)).filter((task) => isOpen(task, clock.now()));
    if (open.length === 0) {
      return;
    }
    const dueAt = Math.min(...open.map((task) => stateOf(systemsOf(), task).dueAt));
    await clock.advance(Math.max(MINUTE, dueAt - clock.now()));
    const drained = (await world.retryJobs()) as { status: number };
    must(drained.status === 200, `retry-jobs after all faults: ${JSON.stringify(drained)}`);
    await world.settle();
  }
  const left = (await jobsIn(world)).filter((task) => isOpen(task, clock.now()));
  must(left.length === 0, `jobs that are never done: ${JSON.stringify(left)}`);
}

/** A job that somebody waits for; not one for the day on which a Consent ends. */
function isOpen(task: Task, now: number): boolean {
  const { dueAt, reason } = stateOf(systemsOf(), task);
  switch (task.status) {
    case 'in-progress':
      return true;
    case 'requested':
      return reason !== undefined || dueAt <= now + 11 * MINUTE;
    default:
      return false;
  }
}

/**
 * Checks the queue after it was drained.
 *
 * @param world - The world.
 */
export async function noJobLost(world: World): Promise<void> {
  const jobs = await jobsIn(world);
  const unfinished = jobs.filter(({ status }) => status !== 'completed' && status !== 'requested');
  must(unfinished.length === 0, `jobs that are neither done nor to come: ${JSON.stringify(unfinished)}`);
  const keys = jobs.map(({ identifier }) => identifier?.[0]?.value);
  must(new Set(keys).size === keys.length, `two jobs for one thing: ${keys.join()}`);
  const { store } = world.sandbox.source;
  const buried = [...store.table('Task').rows.values()].filter(({ current }) => current.text === undefined);
  must(buried.length === 0, `jobs have vanished: ${JSON.stringify(buried.map(({ versions }) => versions[0]?.text))}`);
  const { open } = controlOf(systemsOf(), await controlIn(world));
  must(open === undefined, `the breaker has stayed open: ${JSON.stringify(open)}`);
}
