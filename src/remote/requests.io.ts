/** Requests to the replica: signed in, within a deadline, tried again by one table. The transport of everything that talks to it. */
import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { Buffer } from 'node:buffer';
import type { Config } from '../config/load.ts';
import { Fault, faultCodeOf, faultOf } from '../observability/fault.ts';
import type { Clock, Copy, Random, ReplicaOutcome } from '../ports.ts';
import { nextWait } from './backoff.ts';
import { copiesOf, nextPage } from './copies.ts';
import { sender } from './http.io.ts';
import type { Exchange, Send } from './http.io.ts';
import { judge } from './outcome.ts';
import type { Answer } from './outcome.ts';
import { basic, clientCredentials } from './token.io.ts';
import type { TokenCache, TokenSource } from './token.io.ts';

/** Medplum refuses a JSON body of more than 1 MiB (`platform.md` §9.5). */
const MAX_BODY_BYTES = 1_000_000;

/** What a run gives to its requests. */
export interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  /** No try begins after this instant, in milliseconds since the epoch. */
  readonly deadlineAt: number;
  readonly send?: Send;
  /** Where access tokens are kept between runs. */
  readonly tokenCache?: TokenCache;
}

/** What an answer came to, and its body. */
export interface Answered {
  readonly outcome: ReplicaOutcome;
  readonly body: string;
}

export interface Requests {
  send(method: Exchange['method'], path: string, body?: string): Promise<Answered>;
  /** One transaction or batch. */
  bundle(type: 'transaction' | 'batch', entry: BundleEntry[]): Promise<Answered>;
  /** Copies by search, all pages; a page that is not answered is a fault. */
  find(queries: readonly string[]): Promise<readonly Copy[]>;
}

/**
 * @param config - The validated settings.
 * @param client - With whose credentials.
 * @param parts - Clock, chance, the run's deadline.
 * @returns The transport.
 */
export function replicaRequests(
  config: Config,
  client: { readonly clientId: string; readonly clientSecret: string },
  parts: Parts
): Requests {
  const { clock, random, deadlineAt } = parts;
  const send = parts.send ?? sender(clock);
  const { replica, systems } = config;
  const credentials = { ...replica, ...client };
  const timeLeft = (): number => Math.min(replica.timeoutMs, Math.max(1, deadlineAt - clock.now()));
  const tokens: TokenSource =
    replica.auth === 'basic'
      ? basic(credentials)
      : clientCredentials(
          credentials,
          async (url, headers, body) => send({ method: 'POST', url, headers, body }, timeLeft()),
          clock,
          parts.tokenCache
        );

  async function once(method: Exchange['method'], path: string, body?: string): Promise<Answer> {
    const exchange = async (): Promise<Answer> =>
      send(
        {
          method,
          url: replica.fhirUrl + path,
          headers: {
            Authorization: await tokens.header(),
            Accept: 'application/fhir+json',
            ...(body !== undefined && { 'Content-Type': 'application/fhir+json' }),
          },
          ...(body !== undefined && { body }),
        },
        timeLeft()
      );
    const answer = await exchange();
    if (answer.status !== 401) {
      return answer;
    }
    tokens.renew();
    return exchange();
  }

  /** A fault on the way is an outcome like any other, so that one table decides what is tried again. */
  async function attempt(method: Exchange['method'], path: string, body?: string): Promise<Answered> {
    try {
      const answer = await once(method, path, body);
      return { outcome: judge(answer, clock.now()), body: answer.body };
    } catch (error) {
      const code = faultCodeOf(error);
      if (code === 'replica-unavailable') {
        return { outcome: { kind: 'unavailable' }, body: '' };
      }
      if (code === 'replica-unauthorised') {
        return { outcome: { kind: 'unauthorised', status: 401 }, body: '' };
      }
      throw error;
    }
  }

  async function request(method: Exchange['method'], path: string, body?: string): Promise<Answered> {
    if (body !== undefined && Buffer.byteLength(body) > MAX_BODY_BYTES) {
      return { outcome: { kind: 'rejected', status: 413 }, body: '' };
    }
    for (let tries = 1; ; tries++) {
      const result = await attempt(method, path, body);
      const wait = nextWait(result.outcome, tries, random.unit());
      if (wait === undefined || clock.now() + wait >= deadlineAt) {
        return result;
      }
      await clock.sleep(wait);
    }
  }

  const bundle: Requests['bundle'] = (type, entry) =>
    request('POST', '', JSON.stringify({ resourceType: 'Bundle', type, entry } satisfies Bundle));

  return {
    send: request,
    bundle,
    async find(queries): Promise<readonly Copy[]> {
      const copies: Copy[] = [];
      let open: readonly string[] = queries;
      while (open.length > 0) {
        const answered = await bundle(
          'batch',
          open.map((url) => ({ request: { method: 'GET', url } }))
        );
        const pages = pagesOf(entriesOf(answered), open.length);
        copies.push(...pages.flatMap((page) => copiesOf(page, systems)));
        open = pages.flatMap((page) => nextPage(page, replica.fhirUrl) ?? []);
      }
      return copies;
    },
  };
}

/**
 * @param answered - The answer to a batch.
 * @returns Its entries.
 * @throws The fault that an unsuccessful answer stands for.
 */
export function entriesOf({ outcome, body }: Answered): BundleEntry[] {
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
  return (JSON.parse(body) as Bundle).entry ?? [];
}

/** Every search of the batch must have been answered: an error entry is never an empty result. */
function pagesOf(entries: readonly BundleEntry[], expected: number): Bundle[] {
  const pages = entries.map((entry) => entry.resource as Bundle | undefined);
  if (pages.length !== expected || !pages.every((page) => page?.resourceType === 'Bundle')) {
    const throttled = entries.some((entry) => entry.response?.status?.startsWith('429'));
    throw new Fault(throttled ? 'replica-throttled' : 'replica-unavailable', ['a search was not answered']);
  }
  return pages as Bundle[];
}
