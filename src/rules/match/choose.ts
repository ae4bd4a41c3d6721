/** Of several candidates: who may be linked without a person. Pure. */
import { lower } from './score.ts';
import type { Grade, Score } from './score.ts';

/** Somebody of the partner. */
export interface Candidate extends Score {
  /** The id of the Patient there. */
  readonly id: string;
}

/** How far behind the others have to be. */
const GAP_BITS = 8;
/** What a person can look through. */
const MOST = 10;

/**
 * @param found - Scored candidates; each id once.
 * @returns Those who are to be considered, the best first. Certain is at most one, and only when nobody else comes near.
 */
export function chosen(found: readonly Candidate[]): Candidate[] {
  const [first, second, ...others] = found
    .filter(({ grade }) => grade !== 'certainly-not')
    .toSorted((a, b) => b.bits - a.bits || (a.id < b.id ? -1 : 1));
  const isAlone = first && (!second || first.bits - second.bits >= GAP_BITS);
  const atMost = (candidate: Candidate, most: Grade): Candidate => ({
    ...candidate,
    grade: lower(candidate.grade, most),
  });
  return [
    ...(first ? [isAlone ? first : atMost(first, 'probable')] : []),
    ...[...(second ? [second] : []), ...others].map((each) => atMost(each, 'probable')),
  ].slice(0, MOST);
}
