/** What is told of a pull: to whoever asks, to the trail, to the log. Counts, codes and places; nothing of what came, and no address. Pure. */
import type { RunEvent } from '../../../observability/run-trail.ts';
import { isOpen } from './state.ts';
import type { Counts, PullState, RefusedLine } from './state.ts';

/** A pull, as it is told. */
export interface PullAnswer {
  readonly runId: string;
  readonly phase: PullState['phase'];
  /** Whether there is nothing left to do. */
  readonly isComplete: boolean;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly exports: string;
  readonly types: readonly string[];
  readonly since?: string;
  readonly transactionTime?: string;
  /** When the partner is asked again. */
  readonly nextAt?: string;
  /** Of preparing, as the partner says; 100 when the files are there. */
  readonly percent?: number;
  readonly files: { readonly total: number; readonly done: number };
  readonly bytes: number;
  readonly total: Counts;
  readonly counts: Readonly<Record<string, Counts>>;
  readonly refused: readonly RefusedLine[];
  readonly deleted: Counts;
  readonly errors: Counts;
  readonly short: Counts;
  readonly failures: number;
  readonly restarts: number;
  readonly runs: number;
  readonly fault?: string;
  readonly detail?: string;
  /** Whether anything needs a person: it failed, or something was refused, reported as an error, or short. */
  readonly problems: readonly string[];
}

/**
 * @param state - A pull.
 * @returns What is told of it.
 */
export function answerOf(state: PullState): PullAnswer {
  const instant = (at: number): string => new Date(at).toISOString();
  const { scope, percent, transactionTime } = state;
  // What was overcome is not told any more.
  const { fault, detail } = state.failures > 0 || state.phase === 'failed' ? state : {};
  return {
    runId: state.runId,
    phase: state.phase,
    isComplete: !isOpen(state),
    startedAt: instant(state.startedAt),
    ...(state.endedAt !== undefined && { endedAt: instant(state.endedAt) }),
    exports: scope.exports,
    types: scope.types,
    ...(scope.since !== undefined && { since: scope.since }),
    ...(transactionTime !== undefined && { transactionTime }),
    ...(isOpen(state) && state.nextAt > 0 && { nextAt: instant(state.nextAt) }),
    ...(percent !== undefined && { percent }),
    files: { total: state.files, done: state.file },
    bytes: state.bytes,
    total: totalOf(state),
    counts: state.counts,
    refused: state.refused,
    deleted: state.deleted,
    errors: state.errors,
    short: state.short,
    failures: state.failures,
    restarts: state.restarts,
    runs: state.runs,
    ...(fault !== undefined && { fault }),
    ...(detail !== undefined && { detail }),
    problems: problemsOf(state),
  };
}

function totalOf({ counts }: PullState): Counts {
  const sum: Record<string, number> = {};
  for (const [name, count] of Object.values(counts).flatMap((own) => Object.entries(own))) {
    sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}

function problemsOf(state: PullState): string[] {
  const { refused = 0 } = totalOf(state);
  const all = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
  return [
    ...(state.phase === 'failed' ? [`it failed: ${[state.fault, state.detail].filter(Boolean).join(', ')}`] : []),
    ...(refused > 0 ? [`${refused} records were refused`] : []),
    ...(all(state.errors) > 0 ? [`the partner reports ${all(state.errors)} issues`] : []),
    ...(all(state.short) > 0
      ? [`${all(state.short)} files had other than the number of lines that the partner says`]
      : []),
    ...((state.deleted['kept'] ?? 0) > 0 ? [`${state.deleted['kept']} patients are deleted there, and kept here`] : []),
  ];
}

/**
 * @param state - A pull that has ended.
 * @param run - The run of the bot.
 * @returns The event of it, beside those of each transaction.
 */
export function pullEventOf(
  state: PullState,
  run: {
    readonly bot: string;
    readonly requester: string | undefined;
    readonly organizationId: string;
    readonly at: number;
  }
): RunEvent {
  return {
    type: 'FHIR_INGRESS',
    action: 'pull',
    correlationId: state.runId,
    bot: run.bot,
    requester: run.requester,
    startedAt: state.startedAt,
    endedAt: run.at,
    ...(state.phase === 'failed' && { fault: state.fault ?? 'unexpected' }),
    ...(state.phase === 'cancelled' && { refusal: 'cancelled' }),
    details: {
      organization: `Organization/${run.organizationId}`,
      ...(state.scope.since !== undefined && { since: state.scope.since }),
      ...(state.transactionTime !== undefined && { transactionTime: state.transactionTime }),
      files: state.files,
      ...totalOf(state),
      ...Object.fromEntries(Object.entries(state.deleted).map(([name, count]) => [`deleted-${name}`, count])),
    },
  };
}
