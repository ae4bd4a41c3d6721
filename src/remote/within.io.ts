/** A limit for everything that is awaited: Medplum does not stop a bot that waits (`platform.md` §3.1). */
import type { Clock } from '../ports.ts';

/**
 * Waits for work, but not longer than the limit. The work itself goes on; its late answer is dropped.
 *
 * @param clock - The clock.
 * @param ms - The limit in milliseconds.
 * @param work - What is waited for.
 * @param late - Makes the error that is thrown when the limit passes.
 * @returns What the work returns.
 */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const expired: unique symbol = Symbol('expired');
  const timer = clock.sleep(Math.max(0, ms)).then((): typeof expired => expired);
  // A work that fails after its deadline must not become an unhandled rejection.
  work.catch(() => undefined);
  const first = await Promise.race([work, timer]);
  if (first === expired) {
    throw late();
  }
  return first;
}
