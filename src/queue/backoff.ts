/** How long a job rests between runs. Within a run it is `remote/backoff.ts` that waits, for seconds. Pure. */

const FIRST_MS = 60_000;
const MOST_MS = 60 * 60_000;
/** Quadrupling: 1, 4, 16 minutes. With ten attempts the last is made after five hours. */
const FACTOR = 4;
/** Seeds §2.1. */
const JITTER = 0.25;

/**
 * @param attempts - How often it was tried, from 1.
 * @param unit - A random number in [0, 1).
 * @returns Milliseconds until it is due again.
 */
export function delayAfter(attempts: number, unit: number): number {
  return Math.round(Math.min(FIRST_MS * FACTOR ** (attempts - 1), MOST_MS) * (1 - JITTER + 2 * JITTER * unit));
}
