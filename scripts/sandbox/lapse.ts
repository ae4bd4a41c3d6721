/** Waiting without time: when everybody waits, the clock moves on to whoever wakes first. */

/** Real milliseconds of silence after which everybody is taken to be waiting: longer than the way of a request over loopback. */
const SILENCE_MS = 3;

interface Timer {
  readonly due: number;
  readonly wake: () => void;
}

/** What a lapse moves. */
export interface Hands {
  now(): number;
  moveTo(ms: number): void;
}

/**
 * The time of a sandbox whose bots wait for seconds and minutes, and whose tests do not. Work that is going on holds the
 * clock (`busy`); a clock that nobody needs to move (`needed`) stands still, so that a timer left behind by a run that has
 * ended moves nothing.
 */
export class Lapse {
  readonly #hands: Hands;
  #timers: Timer[] = [];
  readonly #holders = new Map<symbol, string>();
  #yielded = 0;
  #needed = 0;
  #silence: NodeJS.Timeout | undefined;

  constructor(hands: Hands) {
    this.#hands = hands;
  }

  /** Resolves when the clock has come `ms` further. */
  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      const timer = { due: this.#hands.now() + ms, wake };
      const later = this.#timers.findIndex(({ due }) => due > timer.due);
      this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer);
      this.#listen();
    });
  }

  /**
   * Holds the clock until the returned function is called.
   *
   * @param what - For the message when somebody waited too long.
   */
  busy(what = 'somebody'): () => void {
    const holder = Symbol(what);
    this.#holders.set(holder, what);
    clearTimeout(this.#silence);
    return once(() => {
      this.#holders.delete(holder);
      this.#listen();
    });
  }

  /** What holds the clock, and what waits for it. */
  describe(): string {
    const waits = this.#timers.map(({ due }) => due - this.#hands.now()).slice(0, 5);
    return (
      `held by ${[...this.#holders.values()].join(', ') || 'nobody'}; ${this.#yielded} of them stalled; ` +
      `needed by ${this.#needed}; next timers in ${waits.map((ms) => `${ms} ms`).join(', ') || 'none'}`
    );
  }

  /** Lets the clock move, when all are silent, until the returned function is called. */
  needed(): () => void {
    this.#needed++;
    this.#listen();
    return once(() => {
      this.#needed--;
    });
  }

  /** Somebody who holds the clock waits like the others, until the returned function is called. */
  yielding(): () => void {
    const done = this.needed();
    this.#yielded++;
    this.#listen();
    return once(() => {
      this.#yielded--;
      clearTimeout(this.#silence);
      done();
    });
  }

  get #isHeld(): boolean {
    return this.#holders.size !== this.#yielded;
  }

  #listen(): void {
    clearTimeout(this.#silence);
    if (!this.#isHeld && this.#needed > 0 && this.#timers.length > 0) {
      this.#silence = setTimeout(() => this.#next(), SILENCE_MS);
    }
  }

  #next(): void {
    const [first, ...others] = this.#timers;
    if (this.#isHeld || this.#needed === 0 || !first) {
      return;
    }
    this.#timers = others;
    this.#hands.moveTo(first.due);
    first.wake();
    this.#listen();
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) {
      isDone = true;
      work();
    }
  };
}
