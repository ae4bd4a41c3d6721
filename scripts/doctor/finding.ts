/** What a check says, and what the whole comes to. Pure. */

/** Worst last: the exit code is the place in this list. */
export const VERDICTS = ['ok', 'warn', 'fail'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What one check found. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly detail: string;
  /** What to do; empty when all is well. */
  readonly remedy: string;
}

/** A judgement with the name of its check. */
export interface Finding extends Judgement {
  readonly name: string;
}

export const ok = (detail: string): Judgement => ({ verdict: 'ok', detail, remedy: '' });
export const warn = (detail: string, remedy: string): Judgement => ({ verdict: 'warn', detail, remedy });
export const fail = (detail: string, remedy: string): Judgement => ({ verdict: 'fail', detail, remedy });

/** What could not be looked at is neither well nor broken. */
export const unseen = (problem: string, remedy = 'Repair what stands above first.'): Judgement =>
  warn(`could not be looked at: ${problem}`, remedy);

/**
 * @param complaints - What is wrong, a text each.
 * @param bad - The judgement when there are any.
 * @param good - The detail when there are none.
 * @param remedy - What to do.
 * @returns The judgement.
 */
export function judged(complaints: readonly string[], bad: typeof warn, good: string, remedy: string): Judgement {
  return complaints.length > 0 ? bad(complaints.join('; '), remedy) : ok(good);
}

/**
 * @param findings - All findings.
 * @returns 0 when all are ok, 1 with a warning, 2 with a failure.
 */
export function exitCodeOf(findings: readonly Finding[]): number {
  return Math.max(0, ...findings.map(({ verdict }) => VERDICTS.indexOf(verdict)));
}
