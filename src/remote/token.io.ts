/** One access token, one flight: concurrent callers share a request, and the token is renewed before it ends. */
import { Fault } from '../observability/fault.ts';
import type { Clock } from '../ports.ts';
import { basicHeader, tokenRequest } from './grant.ts';
import type { Client } from './grant.ts';
import { jsonOf, judge, waitOf } from './outcome.ts';
import type { Answer } from './outcome.ts';

/** Gives the `Authorization` header. */
export interface TokenSource {
  header(): Promise<string>;
  /** @param header - That was just refused; when another one has come meanwhile, that one is kept. */
  renew(header: string): void;
}

/** A token and until when it may be used, in milliseconds since the epoch. */
export interface HeldToken {
  readonly value: string;
  readonly until: number;
  /** The next of its family, where the server gave one. */
  readonly refreshToken?: string;
}

/** Where a token outlives a run. */
export interface TokenCache {
  load(): HeldToken | undefined;
  save(token: HeldToken): Promise<void>;
  /** Where refresh tokens are used one after the other; undefined for clients that have none. */
  readonly family?: Family | undefined;
}

/** The one refresh token that is good, over all runs. */
export interface Family {
  /**
   * @param refused - The access token that was just refused, if any: another one is good enough.
   * @param ask - Trades a refresh token in; called by one run at a time.
   * @returns The access token, written down together with the refresh token that came with it.
   */
  renew(refused: string | undefined, ask: (refreshToken: string) => Promise<HeldToken>): Promise<HeldToken>;
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

/** What signing in takes. */
export interface SignInParts {
  readonly post: Post;
  readonly clock: Clock;
  /** @returns A text that was never used before. */
  readonly unique: () => string;
  /** Where tokens are kept between runs, if anywhere. */
  readonly cache?: TokenCache | undefined;
}

/**
 * Signs in as the settings say (`grant.ts`), or by HTTP Basic on every request where they say so.
 *
 * @param client - Who signs in, and how.
 * @param parts - The way to the token endpoint, the clock, the cache.
 * @returns A token source. It throws Fault `replica-unavailable` (no answer), `replica-throttled`, `replica-unauthorised`
 *   (refused), `replica-wrong-project`.
 */
export function tokenSource(client: Client, { post, clock, unique, cache }: SignInParts): TokenSource {
  let held: HeldToken | undefined;
  let refused: string | undefined;
  let isRefused = false;
  let flight: Promise<HeldToken> | undefined;

  async function ask(refreshToken?: string): Promise<HeldToken> {
    const moment = { now: clock.now(), jti: unique(), ...(refreshToken !== undefined && { refreshToken }) };
    const { headers, body } = tokenRequest(client, moment);
    return tokenIn(await post(client.tokenUrl, headers, body), client.projectId, clock.now());
  }

  async function obtain(): Promise<HeldToken> {
    if (client.auth === 'refresh-token') {
      if (!cache?.family) {
        throw new Fault('replica-unauthorised', ['there is nowhere to keep the next refresh token']);
      }
      return cache.family.renew(refused, ask);
    }
    const token = await ask();
    await cache?.save(token);
    return token;
  }

  return {
    async header(): Promise<string> {
      if (client.auth === 'basic') {
        return basicHeader(client);
      }
      held ??= isRefused ? undefined : cache?.load();
      if (held && clock.now() < held.until) {
        return `Bearer ${held.value}`;
      }
      flight ??= obtain().finally(() => {
        flight = undefined;
      });
      held = await flight;
      return `Bearer ${held.value}`;
    },
    renew(header): void {
      if (held && header === `Bearer ${held.value}`) {
        isRefused = true;
        refused = held.value;
        held = undefined;
      }
    },
  };
}

interface TokenAnswer {
  readonly access_token?: unknown;
  readonly token_type?: unknown;
  readonly expires_in?: unknown;
  readonly refresh_token?: unknown;
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
  return {
    value: token.access_token,
    until: now + lifetimeMs - Math.min(EARLY_MS, lifetimeMs / 2),
    ...(typeof token.refresh_token === 'string' && { refreshToken: token.refresh_token }),
  };
}
