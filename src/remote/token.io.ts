/** One access token, one flight: concurrent callers share a request, and the token is renewed before it ends. */
import { Buffer } from 'node:buffer';
import { Fault } from '../observability/fault.ts';
import type { Clock } from '../ports.ts';

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

type Post = (url: string, headers: Record<string, string>, body: string) => Promise<{ status: number; body: string }>;

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
    if (answer.status >= 500 || answer.status === 429) {
      throw new Fault('replica-unavailable', [`token endpoint answered ${answer.status}`]);
    }
    const token = answer.status === 200 ? parse(answer.body) : undefined;
    if (typeof token?.access_token !== 'string') {
      throw new Fault('replica-unauthorised', [`token endpoint answered ${answer.status}`]);
    }
    const project = token.project?.reference;
    if (credentials.projectId && project && project !== `Project/${credentials.projectId}`) {
      throw new Fault('replica-wrong-project');
    }
    held = { value: token.access_token, until: clock.now() + Number(token.expires_in ?? 0) * 1000 - EARLY_MS };
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
  readonly expires_in?: unknown;
  readonly project?: { readonly reference?: string };
}

function parse(body: string): TokenAnswer | undefined {
  try {
    return JSON.parse(body) as TokenAnswer;
  } catch {
    return undefined;
  }
}
