/** What findings mean: the state of each check, and the worst of them for the whole. Pure. */
import type { Task } from '@medplum/fhirtypes';
import { heldBy } from '../../queue/control.ts';
import type { Control } from '../../queue/control.ts';
import type { Watermarks } from '../checkpoint.ts';
import { JOBS_LATE_MS, SWEEP_LATE_MS, SWEEP_LOST_MS } from '../late.ts';

/** Worst last. */
export const STATES = ['healthy', 'degraded', 'unhealthy'] as const;
export type State = (typeof STATES)[number];

export const CHECKS = ['source', 'replica', 'token', 'queue', 'watermarks'] as const;
export type CheckName = (typeof CHECKS)[number];

/** The state of one check, and a code of ours when it is not healthy. */
export interface Verdict {
  readonly state: State;
  readonly reason?: string;
}

/** What the bot answers: the seeds' shape, and what it takes to act on it. */
export interface Report {
  readonly status: State;
  readonly timestamp: string;
  readonly checks: Readonly<Partial<Record<CheckName, State>>>;
  /** For each check that is not healthy: a code, never data. */
  readonly reasons?: Readonly<Partial<Record<CheckName, string>>>;
  /** How the queue stands, when it was looked at. */
  readonly queue?: QueueStanding;
  /** Settings that are missing or invalid, by name and without values. */
  readonly settings?: readonly string[];
  /** True when SYNC_ENABLED is false: nothing is sent, so the replica is not asked. */
  readonly off?: true;
}

/** What an operator asks about the queue first. */
export interface QueueStanding {
  /** Why nothing is delivered: `paused`, or the code of the fault that opened the breaker; false when it goes on. */
  readonly held: string | false;
  /** Since when, an instant. */
  readonly since?: string;
  /** Dead letters. */
  readonly failed: number;
  /** How long the oldest job has been due. */
  readonly oldestWaitingSeconds: number;
}

export const HEALTHY: Verdict = { state: 'healthy' };

/**
 * Joins verdicts.
 *
 * @param verdicts - By check; those that were not made are absent.
 * @param timestamp - Of the report.
 * @returns The report, as bad as its worst check.
 */
export function reportOf(verdicts: Readonly<Partial<Record<CheckName, Verdict>>>, timestamp: string): Report {
  const made = CHECKS.flatMap((name) => {
    const verdict = verdicts[name];
    return verdict ? [{ name, ...verdict }] : [];
  });
  const reasons = made.flatMap(({ name, reason }) => (reason ? [[name, reason] as const] : []));
  return {
    status: STATES[Math.max(0, ...made.map(({ state }) => STATES.indexOf(state)))] ?? 'unhealthy',
    timestamp,
    checks: Object.fromEntries(made.map(({ name, state }) => [name, state])),
    ...(reasons.length > 0 && { reasons: Object.fromEntries(reasons) }),
  };
}

/**
 * How far behind the sweep is, by its oldest feed.
 *
 * @param watermarks - The checkpoint.
 * @param now - Milliseconds since the epoch.
 * @returns `never-swept` before the first sweep, which is how a fresh installation looks.
 */
export function watermarksVerdict(watermarks: Watermarks, now: number): Verdict {
  const age = ageOf(watermarks, now);
  if (age === undefined) {
    return { state: 'degraded', reason: 'never-swept' };
  }
  if (age > SWEEP_LOST_MS) {
    return { state: 'unhealthy', reason: 'sweep-stopped' };
  }
  return age > SWEEP_LATE_MS ? { state: 'degraded', reason: 'sweep-late' } : HEALTHY;
}

/**
 * @param watermarks - The checkpoint.
 * @param now - Milliseconds since the epoch.
 * @returns The age of the oldest watermark in milliseconds; undefined without any.
 */
export function ageOf(watermarks: Watermarks, now: number): number | undefined {
  const times = Object.values(watermarks).map((at) => Date.parse(at));
  return times.length > 0 ? now - Math.min(...times) : undefined;
}

/**
 * @param control - Whether the queue is held.
 * @param waiting - Jobs with status `requested`; none is well.
 * @param failed - How many dead letters there are.
 * @param now - Milliseconds since the epoch.
 * @returns A held queue degrades, whoever holds it: nothing is delivered. So do dead letters: they stay until a person acts.
 */
export function queueVerdict(control: Control, waiting: readonly Task[], failed: number, now: number): Verdict {
  if (heldBy(control) !== undefined) {
    return { state: 'degraded', reason: control.pausedAt === undefined ? 'breaker-open' : 'queue-paused' };
  }
  if (waitOf(waiting, now) > JOBS_LATE_MS) {
    return { state: 'degraded', reason: 'jobs-waiting' };
  }
  return failed > 0 ? { state: 'degraded', reason: 'jobs-failed' } : HEALTHY;
}

/**
 * @param control - Whether the queue is held.
 * @param waiting - Jobs with status `requested`, the oldest among them.
 * @param failed - How many dead letters there are.
 * @param now - Milliseconds since the epoch.
 * @returns How the queue stands.
 */
export function standingOf(control: Control, waiting: readonly Task[], failed: number, now: number): QueueStanding {
  const since = control.pausedAt ?? control.open?.since;
  return {
    held: heldBy(control) ?? false,
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    failed,
    oldestWaitingSeconds: Math.round(waitOf(waiting, now) / 1000),
  };
}

/**
 * How long the oldest job has been due. A job whose start lies ahead is delayed, not waiting.
 *
 * @param waiting - Jobs with status `requested`.
 * @param now - Milliseconds since the epoch.
 * @returns Milliseconds; 0 when none is due.
 */
export function waitOf(waiting: readonly Task[], now: number): number {
  const due = waiting.map(({ authoredOn, executionPeriod, meta }) =>
    Date.parse(executionPeriod?.start ?? authoredOn ?? meta?.lastUpdated ?? '')
  );
  return Math.max(0, ...due.filter((at) => at <= now).map((at) => now - at));
}
