/** One reading: what the trail has gained since the last one, and how things stand now. Three requests of the source and one of the replica. */
import type { AuditEvent, Bundle, Task } from '@medplum/fhirtypes';
import type { Config } from '../../config/load.ts';
import { sourceFault } from '../../observability/fault.ts';
import type { Clock, Fetched, ReplicaProbe, SourceFhir } from '../../ports.ts';
import { FEEDS, feedSearch, fold } from './feeds.ts';
import type { Feed } from './feeds.ts';
import { add, gauge } from './figures.ts';
import type { Figures, Sample } from './figures.ts';
import { joined, questionsOf } from './gauges.ts';
import type { MetricsState } from './state.ts';
import { grown, pointsOfReading } from './trend.ts';

/** What the flow is given: it reads, and keeps its own Basic. */
export interface MetricsDeps {
  readonly config: Config;
  readonly source: SourceFhir;
  readonly probe: ReplicaProbe;
  readonly clock: Clock;
  readonly within: <T>(ms: number, work: Promise<T>) => Promise<T>;
}

/** Prometheus gives a scrape ten seconds unless it is told otherwise: a long history is counted over several of them. */
const COUNTING_MS = 5000;
const PROBE_MS = 2000;

/**
 * Takes a reading.
 *
 * @param deps - The run.
 * @param before - The last one.
 * @returns This one.
 * @throws Fault `source-*` when the source does not answer: no figures are better than wrong ones.
 */
export async function read(deps: MetricsDeps, before: MetricsState): Promise<MetricsState> {
  const { config, source, clock } = deps;
  const { systems, sweepOverlapMs } = config;
  const startedAt = clock.now();
  const questions = questionsOf(systems, startedAt);
  const searches = FEEDS.map((feed) => feedSearch(feed, systems, before.marks[feed], sweepOverlapMs));
  const replica = probed(deps);
  const answers = (await source.read([...searches, ...questions.map(({ url }) => url)])).map(bundleOf);
  const answeredAt = clock.now();
  let state = before;
  let lagMs = 0;
  for (const [index, feed] of FEEDS.entries()) {
    const counted = await count(deps, state, feed, answers[index], startedAt + COUNTING_MS);
    ({ state } = counted);
    lagMs = Math.max(lagMs, counted.isComplete ? 0 : startedAt - Date.parse(state.marks[feed]?.watermark ?? ''));
  }
  const { gauges, samples } = await replica;
  const asked = [{ family: 'holi_database_query_duration_seconds', labels: ['source'] } as const].map(
    (sample): Sample => ({ ...sample, value: (answeredAt - startedAt) / 1000 })
  );
  const standing = joined([
    ...questions.map(({ figures }, index) => figures(answers[FEEDS.length + index] as Bundle)),
    gauge('holi_database_connections_active', [['source'], 1]),
    gauges,
    gauge('holi_fhir_sync_enabled', [[], config.syncEnabled ? 1 : 0]),
    gauge('holi_metrics_lag_seconds', [[], Math.round(lagMs / 1000)]),
    gauge('holi_metrics_taken_timestamp_seconds', [[], startedAt / 1000]),
  ]);
  return {
    ...state,
    figures: add(state.figures, [...asked, ...samples]),
    gauges: standing,
    trend: grown(state.trend, pointsOfReading(standing, startedAt)),
    takenAt: startedAt,
  };
}

function bundleOf({ status, resource }: Fetched): Bundle {
  if (resource?.resourceType !== 'Bundle') {
    throw sourceFault(status);
  }
  return resource;
}

/** All pages of a feed, or as many as there is time for: what is left is counted by the next reading. */
async function count(
  { config, source, clock }: MetricsDeps,
  before: MetricsState,
  feed: Feed,
  first: Bundle | undefined,
  stopAt: number
): Promise<{ readonly state: MetricsState; readonly isComplete: boolean }> {
  let state = before;
  let page = first;
  while (page) {
    const rows = (page.entry ?? []).flatMap(({ resource }) => (resource ? [resource as AuditEvent | Task] : []));
    state = fold(state, feed, rows, config.systems, config.sweepOverlapMs);
    const next = page.link?.find(({ relation }) => relation === 'next')?.url;
    if (next !== undefined && clock.now() >= stopAt) {
      return { state, isComplete: false };
    }
    page = next === undefined ? undefined : await source.search(next);
  }
  return { state, isComplete: true };
}

/** Whether the replica is there. While sync is off it gets no request, and there is no such figure. */
async function probed({ config, probe, clock, within }: MetricsDeps): Promise<{
  readonly gauges: Figures;
  readonly samples: readonly Sample[];
}> {
  if (!config.syncEnabled) {
    return { gauges: {}, samples: [] };
  }
  const startedAt = clock.now();
  const isThere = await within(PROBE_MS, probe.reach()).then(
    () => true,
    () => false
  );
  const value = (clock.now() - startedAt) / 1000;
  return {
    gauges: gauge('holi_database_connections_active', [['replica'], isThere ? 1 : 0]),
    samples: [{ family: 'holi_database_query_duration_seconds', labels: ['replica'], value }],
  };
}
