/** How it stands: what is to be done, figures, and their trends, in words for people who have never seen FHIR. Pure. */
import type { Figures } from '../figures.ts';
import { SPANS, valuesOf } from '../trend.ts';
import type { SeriesName, Span } from '../trend.ts';
import { ageText, numberText, timeText } from './say.ts';
import type { Facts } from './facts.ts';
import { findingsOf } from './judge.ts';
import type { Finding, State } from './judge.ts';

/** A number with its name. */
export interface Figure {
  readonly name: string;
  readonly label: string;
  /** Absent where nothing is known. */
  readonly value?: number;
  /** As a person reads it. */
  readonly text: string;
}

/** Values over a span, oldest first; a gap where nobody looked. */
export interface Line {
  readonly name: string;
  readonly label: string;
  readonly hours: readonly (number | null)[];
  readonly days: readonly (number | null)[];
}

/** One subject. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly says: string;
  readonly figures: readonly Figure[];
  /** What the values of the lines are: `records`, `seconds`. */
  readonly unit: string;
  readonly trend: readonly Line[];
}

/** The answer of the bot. No id, token or name of anybody is in it. */
export interface Report {
  readonly status: State;
  /** When the figures were taken. */
  readonly timestamp: string;
  /** Absent while sync is off: it is not asked. */
  readonly replica?: 'up' | 'down';
  readonly findings: readonly Finding[];
  readonly sections: readonly Section[];
}

const WORST: readonly State[] = ['healthy', 'degraded', 'unhealthy'];

/**
 * @param facts - What was read.
 * @returns The report.
 */
export function reportOf(facts: Facts): Report {
  const findings = findingsOf(facts);
  const up = facts.state.gauges.holi_database_connections_active?.['["replica"]']?.[0];
  return {
    status: WORST[Math.max(0, ...findings.map(({ state }) => WORST.indexOf(state)))] ?? 'unhealthy',
    timestamp: new Date(facts.state.takenAt).toISOString(),
    ...(up !== undefined && { replica: up === 1 ? 'up' : 'down' }),
    findings,
    sections: [lag, queue, drift, consents, erasures, audit].map((section) => section(facts)),
  };
}

/**
 * @param problems - Settings that are missing or invalid, by name.
 * @param now - Milliseconds since the epoch.
 * @returns What can be said without settings.
 */
export function unsetReport(problems: readonly string[], now: number): Report {
  const says = 'No bot can work: settings are missing or invalid.';
  return {
    status: 'unhealthy',
    timestamp: new Date(now).toISOString(),
    findings: [
      {
        state: 'unhealthy',
        code: 'settings-invalid',
        says,
        does: `See docs/settings.md: ${problems.join('; ')}`,
      },
    ],
    sections: [],
  };
}

function lag(facts: Facts): Section {
  const { gauges } = facts.state;
  const [runs, ms] = [dayOf(facts, 'runs'), dayOf(facts, 'runMs')];
  const behind = gauges.holi_fhir_sync_watermark_age_seconds?.['[]']?.[0];
  const slowest = Math.max(...valuesOf(facts.state.trend, 'hours', 'slowestMs', facts.now).slice(-DAY));
  return {
    name: 'lag',
    title: 'Replication lag',
    says: 'How long a change takes from the source to the replica.',
    figures: [
      timed('mean', 'a change takes, on average', runs > 0 ? ms / runs / 1000 : undefined),
      timed('slowest', 'the slowest of 24 hours', runs > 0 ? slowest / 1000 : undefined),
      timed('behind', 'since the last complete sweep', behind),
      counted('sent', 'records copied in 24 hours', dayOf(facts, 'sent')),
    ],
    unit: 'seconds',
    trend: [
      {
        name: 'mean',
        label: 'average of a change',
        ...spans(({ at }) => (at('runs') > 0 ? Math.round(at('runMs') / at('runs')) / 1000 : null), facts),
      },
    ],
  };
}

function queue(facts: Facts): Section {
  const of = (figures: Figures[keyof Figures]): number | undefined => figures?.['["fhir-sync"]']?.[0];
  const { gauges } = facts.state;
  return {
    name: 'queue',
    title: 'Queue',
    says: 'What could not be delivered at once waits here, and is tried again until it is.',
    figures: [
      counted('waiting', 'waiting now', of(gauges.holi_queue_jobs_waiting)),
      counted('delayed', 'for later: another try, or a timer', of(gauges.holi_queue_jobs_delayed)),
      counted('failed', 'given up, for a person to look at', of(gauges.holi_queue_jobs_failed)),
      timed('oldest', 'the oldest has waited', of(gauges.holi_queue_oldest_waiting_seconds)),
    ],
    unit: 'jobs',
    trend: [line(facts, 'jobs', 'done')],
  };
}

function drift(facts: Facts): Section {
  const { gauges } = facts.state;
  const total = (figures: Figures[keyof Figures]): number =>
    Object.values(figures ?? {}).reduce((sum, [value]) => sum + (value ?? 0), 0);
  const { last } = facts;
  return {
    name: 'drift',
    title: 'Drift',
    says: 'Where the replica is not as it should be: known and waiting, or found by the nightly comparison and put right.',
    figures: [
      counted('undelivered', 'changes known and not delivered', total(gauges.holi_fhir_sync_not_synced)),
      counted('stale', 'of these older than an hour', total(gauges.holi_fhir_sync_stale)),
      counted('differences', 'differences found in 30 days', monthOf(facts, 'differences')),
      {
        name: 'compared',
        label: 'last complete comparison',
        ...(last && { value: Date.parse(last.endTime) / 1000 }),
        text: last ? `${ageText((facts.now - Date.parse(last.endTime)) / 1000)} ago` : 'not yet',
      },
    ],
    unit: 'records',
    trend: [
      line(facts, 'differences', 'found and put right'),
      {
        name: 'undelivered',
        label: 'waiting, at most',
        ...spans(({ at }) => (at('readings') > 0 ? at('undelivered') : null), facts),
      },
    ],
  };
}

function consents(facts: Facts): Section {
  return {
    name: 'consents',
    title: 'Consents',
    says: 'Without a patient’s consent nothing leaves. A consent brings copies, its end takes them away.',
    figures: [
      counted('active', 'consents are active', facts.consents),
      counted('given', 'changes that brought copies in 24 hours', dayOf(facts, 'given')),
      counted('revoked', 'changes that took copies away in 24 hours', dayOf(facts, 'revoked')),
      counted('withheld', 'times a record stayed here in 24 hours', dayOf(facts, 'withheld')),
    ],
    unit: 'changes',
    trend: [line(facts, 'given', 'brought copies'), line(facts, 'revoked', 'took copies away')],
  };
}

function erasures(facts: Facts): Section {
  return {
    name: 'erasures',
    title: 'Erasures',
    says: 'Copies that were taken back, because consent ended or the record went.',
    figures: [
      counted('removed', 'removals confirmed in 24 hours', dayOf(facts, 'removed')),
      counted('removedMonth', 'in 30 days', monthOf(facts, 'removed')),
      counted('expunged', 'of these with their history', monthOf(facts, 'expunged')),
    ],
    unit: 'removals',
    trend: [line(facts, 'removed', 'confirmed removals')],
  };
}

function audit(facts: Facts): Section {
  const behind = facts.state.gauges.holi_metrics_lag_seconds?.['[]']?.[0];
  return {
    name: 'audit',
    title: 'Audit',
    says: 'Every decision and every effect is written down before it happens. The trail holds no names and no values.',
    figures: [
      counted('events', 'events in 24 hours', dayOf(facts, 'events')),
      counted('mirrored', 'of these taken over from the replica', dayOf(facts, 'mirrored')),
      counted('shown', 'times identified data were shown in 24 hours', dayOf(facts, 'shown')),
      counted('refused', 'times a person was refused', dayOf(facts, 'refused')),
      ...(behind ? [timed('uncounted', 'of the trail is not counted yet', behind)] : []),
    ],
    unit: 'events',
    trend: [line(facts, 'events', 'events')],
  };
}

const DAY = 24;

function dayOf({ state, now }: Facts, series: SeriesName): number {
  return total(valuesOf(state.trend, 'hours', series, now).slice(-DAY));
}

function monthOf({ state, now }: Facts, series: SeriesName): number {
  return total(valuesOf(state.trend, 'days', series, now));
}

function total(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function counted(name: string, label: string, value: number | undefined): Figure {
  return { name, label, ...(value !== undefined && { value }), text: value === undefined ? '–' : numberText(value) };
}

function timed(name: string, label: string, seconds: number | undefined): Figure {
  return {
    name,
    label,
    ...(seconds !== undefined && { value: Math.round(seconds * 1000) / 1000 }),
    text: seconds === undefined ? '–' : timeText(seconds),
  };
}

interface Bucket {
  readonly at: (series: SeriesName) => number;
}

function spans(value: (bucket: Bucket) => number | null, { state, now }: Facts): Pick<Line, Span> {
  const of = (span: Span): (number | null)[] => {
    const all = (series: SeriesName): readonly number[] => valuesOf(state.trend, span, series, now);
    return Array.from({ length: SPANS[span].count }, (_, index) => value({ at: (series) => all(series)[index] ?? 0 }));
  };
  return { hours: of('hours'), days: of('days') };
}

function line(facts: Facts, series: SeriesName, label: string): Line {
  return { name: series, label, ...spans(({ at }) => at(series), facts) };
}
