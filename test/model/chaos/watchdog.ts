/** A history that stands still fails, and says what it waits for: nobody would ever hear of it otherwise. */
import { Broken } from './broken.ts';

/** Real milliseconds without any sign of life; a loaded machine needs some for a single request. */
const STILL_MS = 30_000;
const LOOK_MS = 1_000;

/** A history that did not end. Shrinking it would take that long for each try. */
export class Hangs extends Broken {}

/** How a history shows that it goes on, and what it says when it does not. */
export interface Pulse {
  /** Grows with whatever happens. */
  beats(): number;
  /** What holds it, and what waits. */
  describe(): string;
}

/**
 * @param work - A history.
 * @param pulse - Its signs of life.
 * @param stillMs - How long there may be none, in real milliseconds.
 * @returns What the work returns.
 * @throws Hangs when there is no sign of life for that long.
 */
export async function watched<T>(work: Promise<T>, pulse: Pulse, stillMs = STILL_MS): Promise<T> {
  const hung = Promise.withResolvers<never>();
  let beats = pulse.beats();
  let since = performance.now();
  const timer = setInterval(
    () => {
      if (pulse.beats() !== beats) {
        beats = pulse.beats();
        since = performance.now();
      } else if (performance.now() - since >= stillMs) {
        hung.reject(new Hangs(`it hangs: ${pulse.describe()}`));
      }
    },
    Math.min(LOOK_MS, stillMs)
  );
  // What goes on after that, or fails because its servers are gone, is of no interest any more.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, hung.promise]);
  } finally {
    clearInterval(timer);
  }
}
