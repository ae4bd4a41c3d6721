/** The gauges that are counts and ages of now: one search each, all of them in one batch. Pure. */
import type { Basic, Bundle, Resource, Task } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import { controlOf, controlTerm, heldBy } from '../../queue/control.ts';
import { instant, jobsSearch, stateOf } from '../../queue/job.ts';
import { checkpointSearch, watermarksOf } from '../checkpoint.ts';
import type { GaugeName } from './families.ts';
import { gauge } from './figures.ts';
import type { Figures } from './figures.ts';
import { QUEUE_NAME } from './tasks.ts';

/** A search, and what its answer says. */
export interface Question {
  readonly url: string;
  readonly figures: (page: Bundle) => Figures;
}

/** Not replicated, but carried through by a job of its own. */
const CONSENT = 'Consent';
const STALE_MS = 3_600_000;

const first = <T extends Resource>({ entry }: Bundle): T | undefined => entry?.[0]?.resource as T | undefined;

/**
 * @param systems - Our systems.
 * @param now - Milliseconds since the epoch.
 * @returns All questions. No answer holds more than one row.
 */
export function questionsOf(systems: Systems, now: number): readonly Question[] {
  const jobs = jobsSearch(systems);
  const count = (family: GaugeName, condition: string): Question => ({
    url: `${jobs}&${condition}&_summary=count`,
    figures: ({ total }) => gauge(family, [[QUEUE_NAME], total ?? 0]),
  });
  const due = `status=requested&period=le${instant(now)}`;
  return [
    count('holi_queue_jobs_active', 'status=in-progress'),
    count('holi_queue_jobs_waiting', due),
    count('holi_queue_jobs_failed', 'status=failed'),
    count('holi_queue_jobs_paused', 'status=on-hold'),
    // All that are open; those that are due are taken off when both are known.
    count('holi_queue_jobs_delayed', 'status=requested'),
    {
      url: `${jobs}&${due}&_sort=_lastUpdated&_count=1`,
      figures: (page) => gauge('holi_queue_oldest_waiting_seconds', [[QUEUE_NAME], waitOf(systems, first(page), now)]),
    },
    {
      url: `Basic?identifier=${encodeURIComponent(controlTerm(systems))}&_count=1`,
      figures: (page) => {
        const held = heldBy(controlOf(systems, first<Basic>(page)));
        return gauge('holi_queue_held', [[QUEUE_NAME, held ?? 'none'], held === undefined ? 0 : 1]);
      },
    },
    {
      url: checkpointSearch(systems),
      figures: (page) => {
        const times = Object.values(watermarksOf(systems, first<Basic>(page))).map((at) => Date.parse(at));
        return times.length === 0
          ? {}
          : gauge('holi_fhir_sync_watermark_age_seconds', [[], secondsOf(now - Math.min(...times))]);
      },
    },
    ...REPLICATED_TYPES.flatMap((type) => driftOf(systems, type, now)),
    ...driftOf(systems, CONSENT, now),
  ];
}

/** Whatever could not be delivered is a job of its type. */
function driftOf(systems: Systems, type: string, now: number): Question[] {
  const kebab = type.replace(/\B[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  const open = `${jobsSearch(systems, `${kebab}-sync`)}&status=requested,in-progress,failed,on-hold`;
  const of = (family: GaugeName, condition: string): Question => ({
    url: `${open}${condition}&_summary=count`,
    figures: ({ total }) => gauge(family, [[type], total ?? 0]),
  });
  return [of('holi_fhir_sync_not_synced', ''), of('holi_fhir_sync_stale', `&authored-on=lt${instant(now - STALE_MS)}`)];
}

function waitOf(systems: Systems, task: Task | undefined, now: number): number {
  return task === undefined ? 0 : secondsOf(now - stateOf(systems, task).dueAt);
}

function secondsOf(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}

/**
 * Joins the answers.
 *
 * @param parts - What each answer says.
 * @returns The gauges.
 */
export function joined(parts: readonly Figures[]): Figures {
  const all: Record<string, Figures[keyof Figures]> = {};
  for (const part of parts) {
    for (const [family, series] of Object.entries(part)) {
      all[family] = { ...all[family], ...series };
    }
  }
  const key = JSON.stringify([QUEUE_NAME]);
  const [open] = all.holi_queue_jobs_delayed?.[key] ?? [0];
  const [waiting] = all.holi_queue_jobs_waiting?.[key] ?? [0];
  return { ...all, ...gauge('holi_queue_jobs_delayed', [[QUEUE_NAME], Math.max(0, (open ?? 0) - (waiting ?? 0))]) };
}
