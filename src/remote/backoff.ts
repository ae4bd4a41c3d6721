/** How long to wait before the next try. Pure: chance is an argument. */
import type { ReplicaOutcome } from '../ports.ts';

/** Seeds §2.1: 1 s, doubling, at most 10 s, ±25 %. */
const FIRST_MS = 1000;
const MOST_MS = 10_000;
const JITTER = 0.25;

/** After 1 + 2 + 4 s a server that is not there is left to the sweep: a waiting run holds one of twenty places (`platform.md` §2.3). */
const UNAVAILABLE_TRIES = 4;

/** `platform.md` §11.3: a conflict is over in milliseconds; eight tries from 20 ms lost no write of 240 at concurrency 8. */
const CONFLICT_FIRST_MS = 20;
const CONFLICT_TRIES = 8;

/**
 * The wait before try number `attempt + 1`, or undefined when another try cannot help.
 *
 * @param outcome - What the last try met.
 * @param attempt - How many tries there were, from 1.
 * @param unit - A random number in [0, 1).
 * @returns Milliseconds, or undefined.
 */
export function nextWait(outcome: ReplicaOutcome, attempt: number, unit: number): number | undefined {
  switch (outcome.kind) {
    case 'conflict':
      return attempt < CONFLICT_TRIES ? CONFLICT_FIRST_MS * 2 ** attempt * (0.5 + unit) : undefined;
    case 'throttled':
      return outcome.retryAfterMs ?? exponential(attempt, unit);
    case 'unavailable':
      return attempt < UNAVAILABLE_TRIES ? exponential(attempt, unit) : undefined;
    case 'done':
    case 'gone':
    case 'duplicate':
    case 'rejected':
    case 'unauthorised':
      return undefined;
  }
}

function exponential(attempt: number, unit: number): number {
  return Math.min(FIRST_MS * 2 ** (attempt - 1), MOST_MS) * (1 - JITTER + 2 * JITTER * unit);
}
