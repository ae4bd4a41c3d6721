import { setTimeout as wait } from 'node:timers/promises';
import { Lapse } from './lapse.ts';

/** Something that is due at moments of the clock: the cron bots of one server. */
export interface Timetable {
  /** The first moment strictly after `ms` at which something is due. */
  nextAfter(ms: number): number | undefined;
  /** Starts what is due at `at`. Must not wait for it: runs may overlap. */
  fire(at: number): void;
  /** Resolves when nothing that was started is still running. */
  settled(): Promise<void>;
}

/** How `advance` treats runs that are still going when the next tick is due. */
export interface AdvanceOptions {
  /** True: tick on while runs are going, as the real server does. Default: let each tick finish, so that a test is deterministic. */
  readonly overlap?: boolean;
}

/** The time of both servers: real time plus an offset that only grows. */
export interface SandboxClock {
  now(): number;
  iso(): string;
  /** Moves the clock forward by `ms` and fires every tick on the way, in order, each at its own moment. */
  advance(ms: number, options?: AdvanceOptions): Promise<void>;
  /** Fires the ticks that real time has passed since the last call. */
  catchUp(): void;
  /** Resolves `ms` later: in real time, or as soon as everybody waits when the clock lapses. */
  sleep(ms: number): Promise<void>;
  /** Sleeps in the middle of a request: what the caller of it does meanwhile is not held up. */
  stall(ms: number): Promise<void>;
  /** Present when waiting takes no time. */
  readonly lapse: Lapse | undefined;
  /** Calls `catchUp` each second until the returned function is called. Does not keep the process alive. */
  run(): () => void;
  /** Adds a timetable; the returned function removes it. */
  add(timetable: Timetable): () => void;
}

/**
 * @param start - What time it is now, as milliseconds or ISO text. Default: the real time.
 * @param isLapsing - True when bots that wait do so in no time: the clock moves on when everybody waits.
 * @throws Error if `start` is not a time.
 */
export function createClock(start?: number | string, isLapsing = false): SandboxClock {
  const startMs = start === undefined ? Date.now() : new Date(start).getTime();
  if (Number.isNaN(startMs)) {
    throw new Error(`Not a time: ${start}`);
  }
  const timetables = new Set<Timetable>();
  let offset = startMs - Date.now();
  let fired = startMs;

  const now = (): number => Date.now() + offset;
  const moveTo = (ms: number): void => {
    offset = Math.max(offset, ms - Date.now());
  };
  const nextDue = (): number | undefined => {
    const due = [...timetables].map((table) => table.nextAfter(fired)).filter((ms) => ms !== undefined);
    return due.length > 0 ? Math.min(...due) : undefined;
  };
  const fireAt = (ms: number): void => {
    const before = fired;
    fired = ms;
    for (const table of timetables) {
      if (table.nextAfter(before) === ms) {
        table.fire(ms);
      }
    }
  };

  const lapse = isLapsing ? new Lapse({ now, moveTo }) : undefined;
  const clock: SandboxClock = {
    now,
    lapse,
    sleep: (ms) => (lapse ? lapse.sleep(ms) : wait(ms)),
    async stall(ms) {
      const done = lapse?.yielding();
      await clock.sleep(ms);
      done?.();
    },
    iso: () => new Date(now()).toISOString(),
    async advance(ms, options = {}) {
      const target = now() + ms;
      for (let due = nextDue(); due !== undefined && due <= target; due = nextDue()) {
        moveTo(due);
        fireAt(due);
        if (!options.overlap) {
          await Promise.all([...timetables].map((table) => table.settled()));
        }
      }
      moveTo(target);
    },
    catchUp() {
      for (let due = nextDue(); due !== undefined && due <= now(); due = nextDue()) {
        fireAt(due);
      }
    },
    run() {
      const timer = setInterval(() => clock.catchUp(), 1_000);
      timer.unref();
      return () => clearInterval(timer);
    },
    add(timetable) {
      timetables.add(timetable);
      return () => timetables.delete(timetable);
    },
  };
  return clock;
}
