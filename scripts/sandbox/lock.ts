/**
 * A first-come, first-served mutex. One holder at a time is what makes every write of the sandbox serializable:
 * stricter than PostgreSQL, which answers 409 where this makes the second writer wait (see `faults.conflictRate`).
 */
export class Lock {
  #tail: Promise<unknown> = Promise.resolve();
  #holders = 0;

  /** Runs `work` when all earlier holders are done. A failure of one holder does not reach the next. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail;
    this.#holders++;
    const mine = turn.then(work);
    this.#tail = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#holders--;
    }
  }

  /** Resolves when nobody who is in line now holds the lock: a reader sees only what is committed. */
  async passed(): Promise<void> {
    if (this.#holders > 0) {
      await this.#tail;
    }
  }
}
