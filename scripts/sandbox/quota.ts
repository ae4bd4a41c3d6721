import { OperationOutcomeError, tooManyRequests } from '@medplum/core';
import type { SandboxClock } from './clock.ts';

const WINDOW_MS = 60_000;

/** Interaction units per caller, in fixed windows of a minute from first use (platform.md §5.1-5.2). */
export class Quota {
  /** Units that one caller may use in a minute. The real default is 50,000; undefined counts without refusing. */
  limit: number | undefined;
  /** All units used so far, by caller. */
  readonly units = new Map<string, number>();
  readonly #windows = new Map<string, { start: number; used: number }>();
  readonly #clock: SandboxClock;

  constructor(clock: SandboxClock, limit: number | undefined) {
    this.#clock = clock;
    this.limit = limit;
  }

  /** @throws OperationOutcomeError 429 when the caller's window is used up. Refused calls count too. */
  consume(caller: string, points: number): void {
    this.units.set(caller, (this.units.get(caller) ?? 0) + points);
    const window = this.#window(caller);
    const isFirst = window.used === 0;
    window.used += points;
    if (this.limit !== undefined && window.used > this.limit) {
      const diagnostics = {
        _remainingPoints: 0,
        _msBeforeNext: this.#msLeft(window),
        _consumedPoints: window.used,
        _isFirstInDuration: isFirst,
        limit: this.limit,
      };
      throw new OperationOutcomeError({
        ...tooManyRequests,
        issue: tooManyRequests.issue.map((issue) => ({ ...issue, diagnostics: JSON.stringify(diagnostics) })),
      });
    }
  }

  /** The `RateLimit` header, if there is a limit. */
  header(caller: string): string | undefined {
    if (this.limit === undefined) {
      return undefined;
    }
    const window = this.#window(caller);
    const remaining = Math.max(0, this.limit - window.used);
    return `"fhirInteractions";r=${remaining};t=${Math.ceil(this.#msLeft(window) / 1000)}`;
  }

  #window(caller: string): { start: number; used: number } {
    const now = this.#clock.now();
    let window = this.#windows.get(caller);
    if (!window || now - window.start >= WINDOW_MS) {
      window = { start: now, used: 0 };
      this.#windows.set(caller, window);
    }
    return window;
  }

  #msLeft(window: { start: number }): number {
    return Math.max(0, window.start + WINDOW_MS - this.#clock.now());
  }
}
