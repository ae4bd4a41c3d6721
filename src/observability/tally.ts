/** What a run did, as counts. Every bot returns one. */

/** What became of one record. */
export type Action = 'put' | 'unchanged' | 'withdraw' | 'skip' | 'quarantine' | 'fail';

/** Counts by action, and why records were not copied. */
export interface Tally {
  readonly put: number;
  readonly unchanged: number;
  readonly withdrawn: number;
  readonly skipped: number;
  readonly quarantined: number;
  readonly failed: number;
  /** Reason code → how many records it held back. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** A run that did nothing. */
export const NOTHING: Tally = {
  put: 0,
  unchanged: 0,
  withdrawn: 0,
  skipped: 0,
  quarantined: 0,
  failed: 0,
  reasons: {},
};

const FIELD = {
  put: 'put',
  unchanged: 'unchanged',
  withdraw: 'withdrawn',
  skip: 'skipped',
  quarantine: 'quarantined',
  fail: 'failed',
} as const;

/**
 * Counts what was done.
 *
 * @param done - One entry per record.
 * @returns The counts.
 */
export function tallyOf(done: readonly { readonly action: Action; readonly reason?: string }[]): Tally {
  return done.reduce<Tally>(
    (sum, { action, reason }) => add(sum, { ...NOTHING, [FIELD[action]]: 1, reasons: reason ? { [reason]: 1 } : {} }),
    NOTHING
  );
}

/**
 * @param a - Counts.
 * @param b - More counts.
 * @returns Their sum.
 */
export function add(a: Tally, b: Tally): Tally {
  const reasons: Record<string, number> = { ...a.reasons };
  for (const [reason, count] of Object.entries(b.reasons)) {
    reasons[reason] = (reasons[reason] ?? 0) + count;
  }
  return {
    put: a.put + b.put,
    unchanged: a.unchanged + b.unchanged,
    withdrawn: a.withdrawn + b.withdrawn,
    skipped: a.skipped + b.skipped,
    quarantined: a.quarantined + b.quarantined,
    failed: a.failed + b.failed,
    reasons,
  };
}
