/** What an HTTP answer of the replica means. Pure, so that every rule of it is a line in a table test. */
import type { Bundle, BundleEntry, OperationOutcome } from '@medplum/fhirtypes';
import type { ReplicaOutcome } from '../ports.ts';
import { limitOf } from './limit.ts';

/** What is needed of an answer to judge it. */
export interface Answer {
  readonly status: number;
  /** The `Retry-After` header, if any: seconds or an HTTP date (RFC 9110 §10.2.3). */
  readonly retryAfter: string | null;
  /** The `RateLimit` header; the 429 of Medplum carries no Retry-After (`platform.md` §5.2). */
  readonly rateLimit: string | null;
  readonly body: string;
  /** The `Content-Location` and `X-Progress` of Bulk Data, where anybody asks for them. */
  readonly location?: string | null;
  readonly progress?: string | null;
}

/** Medplum answers a lost race inside a bundle with a 400 of this text (`platform.md` §11.1). */
const LOST_RACE = 'Resource ID did not match resolved ID';

/**
 * What is a 412 outside of a transaction is a 400 of this text inside, and wherever a reference finds several: `Conditional PUT matched multiple
 * resources` (fhir-router, batch.ts), `Conditional reference '…' matched multiple resources` (server, references.ts of 5.0.10).
 */
const TWO_COPIES = 'matched multiple resources';

/** Statuses that say "not now": request timeout (RFC 9110 §15.5.9) and too early (RFC 8470 §5.2). */
const NOT_NOW = [408, 425];

/**
 * Judges one answer. A success has a JSON body, or none: a login page, the error page of a proxy and a body that was cut off
 * come with a 200 as well, and are never taken for a result.
 *
 * @param answer - Status, headers and body.
 * @param now - Milliseconds since the epoch, for HTTP dates.
 * @param content - The body as JSON, where it has been read already.
 * @returns What it means for us.
 */
export function judge(answer: Answer, now: number, content: object | undefined = jsonOf(answer.body)): ReplicaOutcome {
  const { status, body } = answer;
  if (status >= 200 && status < 300) {
    return body === '' || content ? { kind: 'done', status } : { kind: 'unavailable', status };
  }
  if (status === 401 || status === 403) {
    return { kind: 'unauthorised', status };
  }
  if (status === 409 || (status === 400 && body.includes(LOST_RACE))) {
    return { kind: 'conflict' };
  }
  if (status === 412 || (status === 400 && body.includes(TWO_COPIES))) {
    return { kind: 'duplicate' };
  }
  if (status === 429) {
    const retryAfterMs = waitOf(answer, now);
    return { kind: 'throttled', ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  // A 404 without an outcome is an address where there is no FHIR server: nothing is known of the resource.
  if ((status === 404 || status === 410) && isOutcome(content)) {
    return { kind: 'gone', status };
  }
  return (status >= 500 && status !== 501) || NOT_NOW.includes(status)
    ? { kind: 'unavailable', status }
    : { kind: 'rejected', status };
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
  const at = Date.parse(retryAfter ?? '');
  return Number.isNaN(at) ? limitOf(rateLimit)?.resetMs : Math.max(0, at - now);
}

/**
 * Judges the entries of an answered bundle. Where the feature for transactions is off, Medplum runs one as a batch and
 * answers 200 whatever became of its entries (`platform.md` §11.6); so does any server that is throttled half-way.
 *
 * @param content - The body of an answer that was judged `done`.
 * @param expected - How many entries were sent, and whether all of them have to have succeeded.
 * @param now - Milliseconds since the epoch.
 * @returns The outcome of the first entry that stands in the way; undefined when none does.
 */
export function judgeEntries(
  content: object | undefined,
  expected: { readonly count: number; readonly all: boolean },
  now: number
): ReplicaOutcome | undefined {
  const { resourceType, entry = [] } = (content ?? {}) as Partial<Bundle>;
  if (resourceType !== 'Bundle' || entry.length !== expected.count) {
    return { kind: 'unavailable' };
  }
  return entry
    .map((each) => judge(answerOf(each), now))
    .find(({ kind }) => (expected.all ? kind !== 'done' : kind === 'throttled' || kind === 'unavailable'));
}

/** An entry of a batch has a status where a request has one; without it, and without a resource, it is no answer. */
function answerOf({ response, resource }: BundleEntry): Answer {
  const status = Number(/^\d{3}/.exec(response?.status ?? '')?.[0] ?? (resource ? 200 : 503));
  const outcome = response?.outcome ?? resource;
  return { status, retryAfter: null, rateLimit: null, body: status < 300 || !outcome ? '' : JSON.stringify(outcome) };
}

/**
 * @param body - A body.
 * @returns The object that it is, or undefined when it is none: cut off, or no JSON at all.
 */
export function jsonOf(body: string): object | undefined {
  try {
    const value: unknown = body === '' ? undefined : JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isOutcome(value: object | undefined): boolean {
  return (value as OperationOutcome | undefined)?.resourceType === 'OperationOutcome';
}
