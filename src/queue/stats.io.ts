/** How many jobs there are in which state, in one batch of counts. */
import type { Bundle } from '@medplum/fhirtypes';
import { sourceFault } from '../observability/fault.ts';
import { controlOf, controlTerm } from './control.ts';
import type { QueueDeps } from './deps.ts';
import { instant, jobsSearch } from './job.ts';

/** The seeds' `QueueStats` (§6.3). */
export interface Stats {
  readonly waiting: number;
  readonly active: number;
  readonly completed: number;
  readonly failed: number;
  readonly delayed: number;
  readonly paused: number;
}

/**
 * Counts jobs.
 *
 * @param deps - Source, clock, settings.
 * @returns The counts. While the queue is paused, what would be waiting is paused.
 * @throws Fault `source-*` when any count was not answered.
 */
export async function stats({ source, clock, config }: QueueDeps): Promise<Stats> {
  const { systems } = config;
  const now = instant(clock.now());
  const conditions = [
    `status=requested&period=le${now}`,
    // What is not due is delayed: a period without an end is `gt` everything in some servers, and its start in others.
    'status=requested',
    'status=in-progress',
    'status=completed',
    'status=failed',
    'status=on-hold',
  ];
  const [control, ...counts] = (
    await source.read([
      `Basic?identifier=${encodeURIComponent(controlTerm(systems))}&_count=1`,
      ...conditions.map((condition) => `${jobsSearch(systems)}&${condition}&_summary=count`),
    ])
  ).map(({ status, resource }): Bundle => {
    if (resource?.resourceType !== 'Bundle') {
      throw sourceFault(status);
    }
    return resource;
  });
  const basic = control?.entry?.[0]?.resource;
  const isPaused = controlOf(systems, basic?.resourceType === 'Basic' ? basic : undefined).pausedAt !== undefined;
  const [ready = 0, open = 0, active = 0, completed = 0, failed = 0, held = 0] = counts.map(({ total }) => total ?? 0);
  return {
    waiting: isPaused ? 0 : ready,
    active,
    completed,
    failed,
    delayed: Math.max(0, open - ready),
    paused: held + (isPaused ? ready : 0),
  };
}
