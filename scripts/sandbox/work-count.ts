/** Counts what is queued or running, so that somebody can wait until nothing is. */
export class WorkCount {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Returns `end`, for the callers that begin and end in one place. */
  begin(): () => void {
    this.#count++;
    return () => this.end();
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) {
        wake();
      }
    }
  }

  /**
   * Resolves when nothing is queued or running.
   * @param timeoutMs - Real time to wait at most, for bots that never resolve.
   * @param describe - What to say of that which is still running.
   * @throws Error if the time is over.
   */
  async none(timeoutMs?: number, describe?: () => string): Promise<void> {
    if (this.#count === 0) {
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(
              () => reject(new Error(`Still running after ${timeoutMs} ms: ${describe?.() ?? ''}`)),
              timeoutMs
            );
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
