/** What a server says of its limits, and when to wait before it has to refuse. Pure. */

/** One limit as announced. */
export interface Limit {
  /** Units left in the window: requests, or whatever the server counts. */
  readonly remaining: number;
  /** Until the window ends, in milliseconds. */
  readonly resetMs: number;
}

/** What a run has learned of the server's limits. */
export interface Pace {
  readonly remaining: number;
  /** Milliseconds since the epoch. */
  readonly resetAt: number;
  /** The most that went between two answers: what the next request may take. */
  readonly dearest: number;
}

/**
 * Reads the `RateLimit` header: `"name";r=50;t=30`, a list (draft-ietf-httpapi-ratelimit-headers-10, and Medplum), or
 * `limit=100, remaining=50, reset=30` (the drafts before 08).
 *
 * @param header - As sent, if at all.
 * @returns The limit that will be met first; undefined when none can be read.
 */
export function limitOf(header: string | null): Limit | undefined {
  if (!header) {
    return undefined;
  }
  const early = /\bremaining=(\d+)\b.*\breset=(\d+)/.exec(header);
  const items = early ? [`r=${early[1]};t=${early[2]}`] : header.split(',');
  const limits = items.flatMap((item): Limit[] => {
    const [remaining, reset] = [/(?:^|;)\s*r=(\d+)/.exec(item)?.[1], /(?:^|;)\s*t=(\d+)/.exec(item)?.[1]];
    return remaining !== undefined && reset !== undefined
      ? [{ remaining: Number(remaining), resetMs: Number(reset) * 1000 }]
      : [];
  });
  // Of two that are used up, the one that lasts longer decides.
  return limits.sort((a, b) => a.remaining - b.remaining || b.resetMs - a.resetMs)[0];
}

/**
 * The older header triplets in the form of the newer one.
 *
 * @param header - Reads one header.
 * @param now - Milliseconds since the epoch: some servers give the reset as an instant.
 * @returns What `limitOf` reads, or null.
 */
export function legacyLimit(header: (name: string) => string | null, now: number): string | null {
  for (const prefix of ['RateLimit', 'X-RateLimit', 'X-Rate-Limit']) {
    const [remaining, reset] = [header(`${prefix}-Remaining`), header(`${prefix}-Reset`)].map(Number);
    if (header(`${prefix}-Remaining`) && header(`${prefix}-Reset`)) {
      const seconds = reset! > 1e9 ? Math.max(0, Math.ceil(reset! - now / 1000)) : reset;
      return `"legacy";r=${remaining};t=${seconds}`;
    }
  }
  return null;
}

/**
 * Learns from one answer.
 *
 * @param before - What was known.
 * @param limit - What the answer says.
 * @param now - Milliseconds since the epoch.
 * @returns What is known now.
 */
export function learn(before: Pace | undefined, limit: Limit | undefined, now: number): Pace | undefined {
  if (!limit) {
    return before;
  }
  const isSameWindow = before !== undefined && now < before.resetAt;
  const taken = isSameWindow ? Math.max(0, before.remaining - limit.remaining) : 0;
  return {
    remaining: limit.remaining,
    resetAt: now + limit.resetMs,
    dearest: Math.max(before?.dearest ?? 1, taken),
  };
}

/**
 * How long to wait before the next request, so that it is not refused.
 *
 * @param pace - What is known.
 * @param now - Milliseconds since the epoch.
 * @returns Milliseconds; 0 while there is enough left for a request as dear as the dearest so far.
 */
export function pauseOf(pace: Pace | undefined, now: number): number {
  return pace && pace.remaining < pace.dearest ? Math.max(0, pace.resetAt - now) : 0;
}
