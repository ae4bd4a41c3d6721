/** What is counted row by row: the trail, and the jobs. Pure. */
import type { AuditEvent, Task } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { jobsSearch } from '../../queue/job.ts';
import { samplesOfEvent } from './events.ts';
import { add } from './figures.ts';
import type { Sample } from './figures.ts';
import { botOf, isRun, RUN_TYPE, samplesOfRun } from './runs.ts';
import { shortId, within } from './state.ts';
import type { Mark, MetricsState } from './state.ts';
import { samplesOfTask } from './tasks.ts';
import { grown, pointsOf, pointsOfEvent } from './trend.ts';
import type { Point } from './trend.ts';

type Row = AuditEvent | Task;

export const FEEDS = ['events', 'jobs'] as const;
export type Feed = (typeof FEEDS)[number];

const PAGE = 1000;

/**
 * @param feed - The feed.
 * @param systems - Our systems.
 * @param mark - How far it has been counted.
 * @param overlapMs - How far to look back: rows become visible up to a minute after their `lastUpdated`.
 * @returns A FHIR-relative search, oldest first, with cursor paging.
 */
export function feedSearch(feed: Feed, systems: Systems, mark: Mark | undefined, overlapMs: number): string {
  const types = `${systems.auditType}|,${RUN_TYPE}`;
  const what = feed === 'jobs' ? jobsSearch(systems) : `AuditEvent?type=${encodeURIComponent(types)}`;
  const since = mark?.watermark && new Date(Date.parse(mark.watermark) - overlapMs).toISOString();
  return `${what}&_sort=_lastUpdated&_count=${PAGE}${since ? `&_lastUpdated=ge${since}` : ''}`;
}

/**
 * Counts a page.
 *
 * @param state - Before.
 * @param feed - The feed that the page is of.
 * @param rows - Its rows.
 * @param systems - Our systems.
 * @param overlapMs - As of the search.
 * @returns After. A row that was counted is not counted again.
 */
export function fold(
  state: MetricsState,
  feed: Feed,
  rows: readonly Row[],
  systems: Systems,
  overlapMs: number
): MetricsState {
  const mark: Mark = state.marks[feed] ?? { seen: {} };
  const fresh = rows.filter((row) => !Object.hasOwn(mark.seen, keyOf(row)));
  // The rows of one page name bots for each other: what a bot did may stand before its own run.
  const bots = { ...state.bots, ...namesIn(fresh) };
  const counted = fresh.map((row) => ({ row, samples: samplesOf(row, systems, bots) }));
  const figures = add(
    state.figures,
    counted.flatMap(({ samples }) => samples)
  );
  const trend = grown(
    state.trend,
    counted.flatMap(({ row, samples }) => pointsOfRow(row, samples))
  );
  const times = rows.flatMap(({ meta }) => meta?.lastUpdated ?? []);
  const watermark = [mark.watermark ?? '', ...times].sort().at(-1);
  const seen = { ...mark.seen, ...Object.fromEntries(fresh.map((row) => [keyOf(row), row.meta?.lastUpdated ?? ''])) };
  const next: Mark = { watermark, seen: within(seen, watermark, overlapMs) };
  return { ...state, bots, figures, trend, marks: { ...state.marks, [feed]: next } };
}

/** Events are never changed; of a job each version is a row. */
function keyOf(row: Row): string {
  return shortId(row.resourceType === 'Task' ? row.meta?.versionId : row.id);
}

/** A row that counted for nothing, such as one that came back from an archive, is in no trend either. */
function pointsOfRow(row: Row, samples: readonly Sample[]): readonly Point[] {
  const isEvent = row.resourceType === 'AuditEvent';
  const at = Date.parse((isEvent ? row.recorded : row.meta?.lastUpdated) ?? '');
  return samples.length === 0 ? [] : [...pointsOf(samples, at), ...(isEvent ? pointsOfEvent(row) : [])];
}

function namesIn(rows: readonly Row[]): Record<string, string> {
  const names = rows.flatMap((row) => {
    const bot = row.resourceType === 'AuditEvent' && isRun(row) ? botOf(row) : undefined;
    return bot?.name ? [[bot.reference, bot.name] as const] : [];
  });
  return Object.fromEntries(names);
}

function samplesOf(row: Row, systems: Systems, bots: MetricsState['bots']): ReturnType<typeof samplesOfTask> {
  if (row.resourceType === 'Task') {
    return samplesOfTask(row, systems);
  }
  const name = bots[row.source.observer?.reference ?? ''];
  if (isRun(row)) {
    return name === undefined ? [] : samplesOfRun(row, name);
  }
  return row.type.system === systems.auditType ? samplesOfEvent(row, systems, name) : [];
}
