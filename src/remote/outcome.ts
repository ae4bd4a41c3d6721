/** What an HTTP answer of the replica means. Pure, so that every rule of it is a line in a table test. */
import type { ReplicaOutcome } from '../ports.ts';

/** What is needed of an answer to judge it. */
export interface Answer {
  readonly status: number;
  /** The `Retry-After` header, if any: seconds or an HTTP date (RFC 9110 §10.2.3). */
  readonly retryAfter: string | null;
  /** The `RateLimit` header of Medplum, whose 429 carries no Retry-After (`platform.md` §5.2). */
  readonly rateLimit: string | null;
  readonly body: string;
}

/** Medplum answers a lost race inside a bundle with a 400 of this text (`platform.md` §11.1). */
const LOST_RACE = 'Resource ID did not match resolved ID';

/** What is a 412 outside of a transaction is a 400 of this text inside: two copies were there when its entries were looked up. */
const TWO_COPIES = 'Conditional PUT matched multiple resources';

/**
 * Judges one answer.
 *
 * @param answer - Status, headers and body.
 * @param now - Milliseconds since the epoch, for HTTP dates.
 * @returns What it means for us.
 */
export function judge(answer: Answer, now: number): ReplicaOutcome {
  const { status } = answer;
  if (status >= 200 && status < 300) {
    return { kind: 'done', status };
  }
  if (status === 401 || status === 403) {
    return { kind: 'unauthorised', status };
  }
  if (status === 409 || (status === 400 && answer.body.includes(LOST_RACE))) {
    return { kind: 'conflict' };
  }
  if (status === 412 || (status === 400 && answer.body.includes(TWO_COPIES))) {
    return { kind: 'duplicate' };
  }
  if (status === 429) {
    const retryAfterMs = waitOf(answer, now);
    return { kind: 'throttled', ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  if (status >= 500 || status === 408) {
    return { kind: 'unavailable', status };
  }
  return { kind: 'rejected', status };
}

/**
 * How long the server asks to wait.
 *
 * @param answer - The headers.
 * @param now - Milliseconds since the epoch.
 * @returns Milliseconds, or undefined when it does not say.
 */
export function waitOf(answer: Pick<Answer, 'retryAfter' | 'rateLimit'>, now: number): number | undefined {
  const { retryAfter, rateLimit } = answer;
  if (retryAfter && /^\d+$/.test(retryAfter.trim())) {
    return Number(retryAfter) * 1000;
  }
  if (retryAfter) {
    const at = Date.parse(retryAfter);
    return Number.isNaN(at) ? undefined : Math.max(0, at - now);
  }
  const reset = /(?:^|;)\s*t=(\d+)/.exec(rateLimit ?? '');
  return reset ? Number(reset[1]) * 1000 : undefined;
}
