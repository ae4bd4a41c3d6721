/** One access token, one flight: concurrent callers share a request, and the token is renewed before it ends. */
import { Buffer } from 'node:buffer';
import { Fault } from '../observability/fault.ts';
import type { Clock } from '../ports.ts';
import { jsonOf, judge, waitOf } from './outcome.ts';
import type { Answer } from './outcome.ts';

/** What the token endpoint needs (RFC 6749 §4.4, client authentication by HTTP Basic, §2.3.1). */
export interface Credentials {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** When set, tokens of another Medplum project are refused. */
  readonly projectId: string | undefined;
}

/** Gives the `Authorization` header; `renew` forgets the token that was just refused. */
export interface TokenSource {
  header(): Promise<string>;
  renew(): void;
}

/** A token and until when it may be used, in milliseconds since the epoch. */
export interface HeldToken {
  readonly value: string;
  readonly until: number;
}

/** Where a token outlives a run. */
export interface TokenCache {
  load(): HeldToken | undefined;
  save(token: HeldToken): Promise<void>;
}

/** Seeds §2.1: a token is used until 60 s before it expires. */
const EARLY_MS = 60_000;

/** RFC 6749 §5.1 recommends `expires_in` and does not require it; a server that refuses the token earlier says 401. */
const ASSUMED_LIFETIME_SECONDS = 300;

/** Sends one form to the token endpoint. */
export type Post = (url: string, headers: Record<string, string>, body: string) => Promise<Answer>;

/** No token, for now: what the token endpoint asks to wait. */
export class SignInFault extends Fault {
  readonly retryAfterMs: number | undefined;

  /** @param retryAfterMs - Milliseconds; undefined when it does not say. */
  constructor(retryAfterMs: number | undefined) {
    super('replica-throttled', ['token endpoint answered 429']);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * The client-credentials grant.
 *
 * @param credentials - Where and with what to ask.
 * @param post - Sends the request, within a deadline.
 * @param clock - The clock.
 * @param cache - Where tokens are kept between runs, if anywhere.
 * @returns A token source. It throws Fault `replica-unavailable` (no answer), `replica-unauthorised` (refused), `replica-wrong-project`.
 */
export function clientCredentials(credentials: Credentials, post: Post, clock: Clock, cache?: TokenCache): TokenSource {
  let held: HeldToken | undefined;
  let isRefused = false;
  let flight: Promise<string> | undefined;

  async function ask(): Promise<string> {
    const answer = await post(
      credentials.tokenUrl,
      { Authorization: basicHeader(credentials), 'Content-Type': 'application/x-www-form-urlencoded' },
      'grant_type=client_credentials'
    );
    held = tokenIn(answer, credentials.projectId, clock.now());
    await cache?.save(held);
    return held.value;
  }

  return {
    async header(): Promise<string> {
      held ??= isRefused ? undefined : cache?.load();
      if (held && clock.now() < held.until) {
        return `Bearer ${held.value}`;
      }
      flight ??= ask().finally(() => {
        flight = undefined;
      });
      return `Bearer ${await flight}`;
    },
    renew(): void {
      isRefused = true;
      held = undefined;
    },
  };
}

/**
 * HTTP Basic on every request (RFC 7617), for servers where a token endpoint is not to be had.
 *
 * @param credentials - The client.
 * @returns A token source that never expires.
 */
export function basic(credentials: Credentials): TokenSource {
  return { header: () => Promise.resolve(basicHeader(credentials)), renew: () => undefined };
}

/** RFC 6749 §2.3.1 form-encodes id and secret before Basic; for the characters Medplum mints this changes nothing. */
function basicHeader({ clientId, clientSecret }: Credentials): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`, 'utf8').toString('base64')}`;
}

interface TokenAnswer {
  readonly access_token?: unknown;
  readonly token_type?: unknown;
  readonly expires_in?: unknown;
  readonly project?: { readonly reference?: string };
}

/**
 * Reads the answer of a token endpoint (RFC 6749 §5).
 *
 * @param answer - The answer.
 * @param projectId - When set, tokens of another Medplum project are refused.
 * @param now - Milliseconds since the epoch.
 * @returns The token, to be used until 60 s before its end; a short-lived one for half of its life.
 * @throws Fault `replica-unavailable`, `replica-throttled`, `replica-unauthorised`, `replica-rejected`, `replica-wrong-project`.
 */
export function tokenIn(answer: Answer, projectId: string | undefined, now: number): HeldToken {
  const { kind } = judge(answer, now);
  const said = [`token endpoint answered ${answer.status}`];
  if (kind === 'throttled') {
    throw new SignInFault(waitOf(answer, now));
  }
  if (kind === 'unavailable') {
    throw new Fault('replica-unavailable', said);
  }
  if (answer.status >= 300 && answer.status < 400) {
    throw new Fault('replica-rejected', said);
  }
  const token = (kind === 'done' ? jsonOf(answer.body) : undefined) as TokenAnswer | undefined;
  // A token of a type that is not understood must not be used (RFC 6749 §7.1).
  const { token_type: type = 'Bearer' } = token ?? {};
  if (typeof token?.access_token !== 'string' || typeof type !== 'string' || !/^bearer$/i.test(type)) {
    throw new Fault('replica-unauthorised', said);
  }
  const project = token.project?.reference;
  if (projectId && project && project !== `Project/${projectId}`) {
    throw new Fault('replica-wrong-project');
  }
  const given = Number(token.expires_in);
  const lifetimeMs = (given > 0 ? given : ASSUMED_LIFETIME_SECONDS) * 1000;
  return { value: token.access_token, until: now + lifetimeMs - Math.min(EARLY_MS, lifetimeMs / 2) };
}
