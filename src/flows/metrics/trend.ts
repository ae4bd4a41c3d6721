/** What happened when: sums by the hour and by the day, kept with the figures, so that a trend costs no request. Pure. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Figures, Sample } from './figures.ts';

/**
 * Place of a series in a bucket → how two values of one bucket become one. Buckets are stored without names: new series are added at the end, and
 * none is ever taken out.
 */
const SERIES = {
  sent: 'sum',
  removed: 'sum',
  expunged: 'sum',
  withheld: 'sum',
  failed: 'sum',
  runs: 'sum',
  runMs: 'sum',
  slowestMs: 'max',
  jobs: 'sum',
  given: 'sum',
  revoked: 'sum',
  comparisons: 'sum',
  differences: 'sum',
  events: 'sum',
  mirrored: 'sum',
  shown: 'sum',
  refused: 'sum',
  readings: 'sum',
  undelivered: 'max',
  down: 'sum',
} as const satisfies Readonly<Record<string, 'sum' | 'max'>>;

export type SeriesName = keyof typeof SERIES;

/** A value of one series, at the time of what it comes from. */
export interface Point {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly series: SeriesName;
  readonly value: number;
}

/** The number of an hour, or of a day, since the epoch → the values in the order of the series. */
type Buckets = Readonly<Record<string, readonly number[]>>;

export interface Trend {
  readonly hours: Buckets;
  readonly days: Buckets;
}

export const NO_TREND: Trend = { hours: {}, days: {} };

const NAMES = Object.keys(SERIES) as SeriesName[];
/** What a page shows: two days by the hour, a month by the day. Some 7 kB when every bucket has everything. */
export const SPANS = {
  hours: { ms: 3_600_000, count: 48 },
  days: { ms: 86_400_000, count: 30 },
} as const;

export type Span = keyof typeof SPANS;

/**
 * @param trend - Before.
 * @param points - What has happened; values that are no numbers are left out.
 * @returns After. What is older than the spans, seen from the newest bucket, is forgotten.
 */
export function grown(trend: Trend, points: readonly Point[]): Trend {
  const own = points.filter(({ at, value }) => Number.isFinite(at) && Number.isFinite(value) && value !== 0);
  return { hours: grownBy('hours', trend.hours, own), days: grownBy('days', trend.days, own) };
}

function grownBy(span: Span, before: Buckets, points: readonly Point[]): Buckets {
  const next = new Map(Object.entries(before).map(([key, values]) => [Number(key), [...values]]));
  for (const { at, series, value } of points) {
    const key = Math.floor(at / SPANS[span].ms);
    const values = next.get(key) ?? [];
    const index = NAMES.indexOf(series);
    while (values.length <= index) {
      values.push(0);
    }
    const old = values[index] ?? 0;
    values[index] = SERIES[series] === 'sum' ? old + value : Math.max(old, value);
    next.set(key, values);
  }
  const newest = Math.max(...next.keys());
  return Object.fromEntries([...next].filter(([key]) => key > newest - SPANS[span].count));
}

/**
 * @param trend - The trend.
 * @param span - By the hour, or by the day.
 * @param series - Which values.
 * @param now - Milliseconds since the epoch.
 * @returns The values of the span that ends now, oldest first.
 */
export function valuesOf(trend: Trend, span: Span, series: SeriesName, now: number): readonly number[] {
  const { ms, count } = SPANS[span];
  const last = Math.floor(now / ms);
  const index = NAMES.indexOf(series);
  return Array.from({ length: count }, (_, place) => trend[span][String(last - count + 1 + place)]?.[index] ?? 0);
}

const BY_OPERATION: Readonly<Record<string, SeriesName | undefined>> = {
  'put success': 'sent',
  'put withheld': 'withheld',
  'put failure': 'failed',
  'withdraw success': 'removed',
};

/**
 * What samples of one row say about the time that it tells of.
 *
 * @param samples - As they are counted.
 * @param at - When that was, in milliseconds since the epoch.
 * @returns Points.
 */
export function pointsOf(samples: readonly Sample[], at: number): readonly Point[] {
  const point = (series: SeriesName, value: number): Point => ({ at, series, value });
  return samples.flatMap(({ family, labels, value }): Point[] => {
    switch (family) {
      case 'holi_fhir_sync_operations_total': {
        const series = BY_OPERATION[labels.slice(1).join(' ')];
        return series === undefined ? [] : [point(series, value)];
      }
      case 'holi_fhir_sync_duration_seconds': {
        const ms = Math.round(value * 1000);
        return [point('runs', 1), point('runMs', ms), point('slowestMs', ms)];
      }
      case 'holi_queue_job_duration_seconds':
        return [point('jobs', 1)];
      case 'holi_fhir_reconciliation_runs_total':
        return [point('comparisons', value)];
      case 'holi_fhir_reconciliation_differences_total':
        return [point('differences', value)];
      case 'holi_hipaa_audit_events_total':
        return [point('events', value)];
      case 'holi_fhir_audit_mirror_events_total':
        return labels[0] === 'mirrored' ? [point('mirrored', value)] : [];
      case 'holi_hipaa_phi_access_total':
        return [point('shown', value)];
      case 'holi_hipaa_consent_validations_total':
        return labels[0] === 'denied' && labels[1] !== 'FHIR_SYNC' && labels[1] !== 'FHIR_CONSENT'
          ? [point('refused', value)]
          : [];
      default:
        return [];
    }
  });
}

/**
 * What samples do not say: whether an erasure took the history along, and what a Consent brought about.
 *
 * @param event - An AuditEvent of ours that was counted.
 * @returns Points.
 */
export function pointsOfEvent(event: AuditEvent): readonly Point[] {
  const at = Date.parse(event.recorded);
  const valueOf = (details: NonNullable<AuditEvent['entity']>[number]['detail'], name: string): string | undefined =>
    details?.find(({ type }) => type === name)?.valueString;
  const expunged = (event.entity ?? []).filter(
    ({ detail }) => valueOf(detail, 'action') === 'withdraw' && valueOf(detail, 'erasure') === 'expunged'
  ).length;
  const run = event.type.code === 'FHIR_CONSENT' ? event.entity?.[0]?.detail : undefined;
  const isMore = (name: string): number => (Number(valueOf(run, name) ?? 0) > 0 ? 1 : 0);
  return [
    { at, series: 'expunged', value: expunged },
    { at, series: 'given', value: isMore('put') },
    { at, series: 'revoked', value: isMore('withdrawn') },
  ];
}

/**
 * What a reading has found: how things stood, as far as anybody looked.
 *
 * @param gauges - Of the reading.
 * @param at - When it was taken, in milliseconds since the epoch.
 * @returns Points.
 */
export function pointsOfReading(gauges: Figures, at: number): readonly Point[] {
  const open = Object.values(gauges.holi_fhir_sync_not_synced ?? {}).reduce((sum, [value]) => sum + (value ?? 0), 0);
  const isDown = gauges.holi_database_connections_active?.['["replica"]']?.[0] === 0;
  return [
    { at, series: 'readings', value: 1 },
    { at, series: 'undelivered', value: open },
    { at, series: 'down', value: isDown ? 1 : 0 },
  ];
}
