/** Dead letters, and what a person does about them. */
import type { Task } from '@medplum/fhirtypes';
import { ordered } from './change.ts';
import type { QueueDeps } from './deps.ts';
import { jobsSearch, stateOf, typeOf } from './job.ts';
import { LOT } from './store.io.ts';

/** The seeds' shape of a failed job (§6.3). Codes and references, never what is in a record. */
export interface Letter {
  readonly id: string;
  readonly name: string;
  readonly data: { readonly focus?: string; readonly patient?: string };
  readonly failedReason: string;
  readonly attemptsMade: number;
  readonly timestamp: string;
}

/** Which jobs: one, or all that have failed, or some of them. */
export interface Which {
  readonly id?: string;
  readonly type?: string;
  readonly reason?: string;
}

/**
 * @param deps - Source, settings.
 * @param limit - How many at most, 1 to 1000.
 * @param which - Only these.
 * @returns Jobs that have failed, the newest first.
 * @throws Fault `source-*`.
 */
export async function letters(deps: QueueDeps, limit: number, which: Which = {}): Promise<Letter[]> {
  const { systems } = deps.config;
  return (await failed(deps, limit, which)).map((task): Letter => {
    const { attempts, reason, dueAt } = stateOf(systems, task);
    return {
      id: `${task.id}`,
      name: typeOf(systems, task),
      data: {
        ...(task.focus?.reference && { focus: task.focus.reference }),
        ...(task.for?.reference && { patient: task.for.reference }),
      },
      failedReason: reason ?? 'unknown',
      attemptsMade: attempts,
      timestamp: new Date(dueAt).toISOString(),
    };
  });
}

async function failed({ source, config }: QueueDeps, limit: number, which: Which): Promise<Task[]> {
  const found: Task[] = [];
  const search = which.id
    ? `${jobsSearch(config.systems)}&_id=${encodeURIComponent(which.id)}`
    : `${jobsSearch(config.systems, which.type)}&status=failed&_sort=-_lastUpdated&_count=${Math.min(limit, 1000)}`;
  for (let url: string | undefined = search; url && found.length < limit;) {
    const page = await source.search(url);
    const tasks = (page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'Task' ? resource : []));
    found.push(
      ...tasks.filter((task) => which.reason === undefined || stateOf(config.systems, task).reason === which.reason)
    );
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found.slice(0, limit);
}

/** What came of it. */
export interface Acted {
  /** Jobs that the order fits. */
  readonly matched: number;
  /** Jobs that were changed; none in a dry run. */
  readonly changed: number;
}

/** One call does not change more than this: whoever wants more calls again. */
const MOST = 1000;

/**
 * Puts jobs back into the queue, due now and with all their attempts; or says that they shall not be done.
 *
 * @param deps - Source, clock, settings.
 * @param event - Which of both.
 * @param which - One job, whatever its state allows, or those that have failed.
 * @param options - `reason`, a code, for jobs that are discarded; a dry run changes nothing.
 * @returns How many; a job that changes in the same moment is left to whoever changed it.
 * @throws Fault `source-*`.
 */
export async function act(
  deps: QueueDeps,
  event: 'retry' | 'discard',
  which: Which,
  options: { readonly isDry: boolean; readonly reason?: string | undefined }
): Promise<Acted> {
  const { clock, config, source } = deps;
  const wanted = (await failed(deps, MOST, which)).flatMap(
    (task) => ordered(config.systems, task, event, clock.now(), options.reason) ?? []
  );
  let changed = 0;
  for (let from = 0; !options.isDry && from < wanted.length; from += LOT) {
    const lot = wanted.slice(from, from + LOT);
    const all = await source.change(lot);
    changed += all?.length ?? 0;
    for (const task of all ? [] : lot) {
      changed += (await source.change([task]))?.length ?? 0;
    }
  }
  return { matched: wanted.length, changed };
}
