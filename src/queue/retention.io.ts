/**
 * Removes jobs that have been over for long. What is deleted must not be wanted anew in the same moment, and a DELETE has no `If-Match`
 * on Medplum: so a job first loses its name, in a transaction that fails if it has changed, and then nobody can find it.
 */
import type { Task } from '@medplum/fhirtypes';
import type { QueueDeps } from './deps.ts';
import { instant, jobsSearch } from './job.ts';
import { LOT } from './store.io.ts';

const DAY_MS = 86_400_000;
/** Seeds §2.2. A failed job that goes is no longer needed for its record: `reconcile` compares that with its copy each night. */
const KEPT_DAYS = { completed: 7, cancelled: 30, failed: 30 } as const;
export type Ended = keyof typeof KEPT_DAYS;

/** How many were removed. */
export type Removed = Readonly<Record<Ended, number>>;

/**
 * Removes what has been over for longer than it is kept.
 *
 * @param deps - Source, clock, settings.
 * @param stopAt - Begins nothing after this instant, in milliseconds since the epoch.
 * @param tell - Is told of failed jobs before they go: nobody has acted on them. Without it they stay.
 * @returns How many went.
 * @throws Fault `source-*`.
 */
export async function clean(
  deps: QueueDeps,
  stopAt: number,
  tell?: (failed: readonly Task[]) => Promise<void>
): Promise<Removed> {
  const removed = { completed: 0, cancelled: 0, failed: 0 };
  for (const status of Object.keys(KEPT_DAYS) as Ended[]) {
    while (deps.clock.now() < stopAt && (status !== 'failed' || tell)) {
      const jobs = await ended(deps, status);
      const gone = await retire(deps, jobs);
      if (status === 'failed' && gone.length > 0) {
        await tell?.(gone);
      }
      if (gone.length > 0) {
        await deps.source.dismiss(gone);
      }
      removed[status] += gone.length;
      // A full page that all went: there may be more. What would not go is met by the next run.
      if (gone.length < LOT) {
        break;
      }
    }
  }
  return removed;
}

async function ended({ source, clock, config }: QueueDeps, status: Ended): Promise<Task[]> {
  const before = instant(clock.now() - KEPT_DAYS[status] * DAY_MS);
  const search = `${jobsSearch(config.systems)}&status=${status}&_lastUpdated=lt${before}&_count=${LOT}`;
  const page = await source.search(search);
  return (page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'Task' ? resource : []));
}

async function retire({ source, config }: QueueDeps, jobs: readonly Task[]): Promise<readonly Task[]> {
  const nameless = jobs.map((task): Task => ({
    ...task,
    identifier: [{ system: config.systems.control, value: `ended-${task.id}` }],
  }));
  const all = nameless.length > 0 ? await source.change(nameless) : [];
  if (all) {
    return all;
  }
  const one: Task[] = [];
  for (const task of nameless) {
    one.push(...((await source.change([task])) ?? []));
  }
  return one;
}
