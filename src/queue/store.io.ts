/** The queue itself: enqueue, take, settle. Every change is made to the version that was read, so nobody's is ever overwritten. */
import type { Task } from '@medplum/fhirtypes';
import { Fault, sourceFault } from '../observability/fault.ts';
import type { Random } from '../ports.ts';
import { claimed, merge, settled } from './change.ts';
import type { Result, Terms } from './change.ts';
import type { QueueDeps } from './deps.ts';
import { instant, jobsSearch, stateOf, taskOf } from './job.ts';
import type { Order } from './job.ts';

/** Tasks in one transaction (`platform.md` §11.5). */
export const LOT = 50;
/** Twenty runs can start at once for one record; each race has one winner. */
const TRIES = 25;

/**
 * Puts a job into the queue, or merges it into the one that is there for the same type and key.
 *
 * @param deps - Source, clock, settings.
 * @param order - What is to be done.
 * @throws Fault `source-*` when it could not be stored: then nobody has promised anything.
 */
export async function enqueue(deps: QueueDeps, order: Order): Promise<void> {
  const { source, clock, config } = deps;
  const wanted = taskOf(config.systems, order, clock.now());
  for (let tries = 1; tries <= TRIES; tries++) {
    const there = await source.enlist(wanted);
    const merged = merge(config.systems, there, order, clock.now());
    // What was just created covers the order by itself.
    if (!merged || (await source.change([merged]))) {
      return;
    }
  }
  throw new Fault('source-unavailable', ['the job kept changing']);
}

/**
 * What is due, and what a run has left lying: erasures first, then by age.
 *
 * @param deps - Source, clock, settings.
 * @param count - How many at most, of either.
 * @returns Jobs that may be taken.
 * @throws Fault `source-*`.
 */
export async function due({ source, clock, config }: QueueDeps, count: number): Promise<Task[]> {
  const open = `${jobsSearch(config.systems)}&status=requested,in-progress&period=le${instant(clock.now())}`;
  const page = `&_sort=_lastUpdated&_count=${count}`;
  const pages = await source.read([`${open}&priority=urgent${page}`, `${open}&priority=routine${page}`]);
  return pages.flatMap(({ status, resource }) => {
    if (resource?.resourceType !== 'Bundle') {
      throw sourceFault(status);
    }
    return (resource.entry ?? []).flatMap((entry) => (entry.resource?.resourceType === 'Task' ? entry.resource : []));
  });
}

/**
 * Takes jobs, so that no other run does.
 *
 * @param deps - Source, clock, settings.
 * @param jobs - At most a lot, as they were found.
 * @param lease - The run, and until when it has them, in milliseconds since the epoch.
 * @returns Those that this run has now.
 * @throws Fault `source-*`.
 */
export async function claim(
  deps: QueueDeps,
  jobs: readonly Task[],
  lease: { readonly run: string; readonly until: number }
): Promise<readonly Task[]> {
  const { systems } = deps.config;
  const take = (task: Task): Task | undefined => claimed(systems, task, lease, deps.clock.now());
  // A transaction whose answer was lost has been carried out, or not: what is ours already is ours.
  const isOurs = (task: Task): boolean =>
    task.status === 'in-progress' &&
    stateOf(systems, task).run === lease.run &&
    stateOf(systems, task).dueAt === lease.until;
  return changeAll(deps, jobs, take, isOurs);
}

/**
 * Says how jobs ended. A job that was wanted anew in the meantime goes back into the queue.
 *
 * @param deps - Source, clock, chance, settings.
 * @param run - The run that has them.
 * @param results - Each job as it was claimed, and what came of it.
 * @throws Fault `source-*`; then the leases end by themselves, and the jobs are done again.
 */
export async function settle(
  deps: QueueDeps & { readonly random: Random },
  run: string,
  results: ReadonlyMap<Task, Result>
): Promise<void> {
  const { config, clock, random } = deps;
  const byId = new Map([...results].map(([{ id }, result]) => [id, result]));
  const terms = (): Terms => ({ now: clock.now(), unit: random.unit(), attempts: config.queue.attempts });
  const isStillOurs = (task: Task): boolean =>
    task.status === 'in-progress' && stateOf(config.systems, task).run === run;
  const finish = (task: Task): Task | undefined => {
    const result = byId.get(task.id);
    return result && isStillOurs(task) ? settled(config.systems, task, result, terms()) : undefined;
  };
  const jobs = [...results.keys()];
  for (let from = 0; from < jobs.length; from += LOT) {
    await changeAll(deps, jobs.slice(from, from + LOT), finish, () => false);
  }
}

/**
 * Changes jobs in one transaction. When others have changed some of them meanwhile, all are read again and the rest is tried again:
 * one conflict does not lose the others.
 */
async function changeAll(
  { source }: QueueDeps,
  jobs: readonly Task[],
  change: (task: Task) => Task | undefined,
  isDone: (task: Task) => boolean
): Promise<readonly Task[]> {
  let now = jobs;
  for (let tries = 1; tries <= TRIES; tries++) {
    const wanted = now.flatMap((task) => change(task) ?? []);
    const before = tries > 1 ? now.filter(isDone) : [];
    if (wanted.length === 0) {
      return before;
    }
    const changed = await source.change(wanted);
    if (changed) {
      return [...before, ...changed];
    }
    const found = await source.search(`Task?_id=${jobs.map(({ id }) => id).join(',')}&_count=${jobs.length}`);
    now = (found.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'Task' ? resource : []));
  }
  throw new Fault('source-unavailable', ['the jobs kept changing']);
}
