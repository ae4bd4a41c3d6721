/** The time of the machine. */
import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../ports.ts';

/** Waits do not keep a process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => setTimeout(ms, undefined, { ref: false }),
};
