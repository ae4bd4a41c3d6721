/** Requests to the replica: signed in, within a deadline, tried again by one table. The transport of everything that talks to it. */
import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { Buffer } from 'node:buffer';
import type { Config } from '../config/load.ts';
import { Fault, faultCodeOf, faultOf } from '../observability/fault.ts';
import type { Clock, Copy, CopyPage, Inspected, Random, ReplicaOutcome } from '../ports.ts';
import { nextWait } from './backoff.ts';
import { copiesOf, inspectedOf, nextPage } from './copies.ts';
import type { Client } from './grant.ts';
import { sender } from './http.io.ts';
import type { Exchange, Send } from './http.io.ts';
import { learn, limitOf, pauseOf } from './limit.ts';
import type { Pace } from './limit.ts';
import { jsonOf, judge, judgeEntries } from './outcome.ts';
import type { Answer } from './outcome.ts';
import { tokenSource } from './token.io.ts';
import type { SignInFault, TokenCache } from './token.io.ts';

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

/** What an answer came to, and its body as JSON. */
export interface Answered {
  readonly outcome: ReplicaOutcome;
  readonly content: object | undefined;
}

/** Looks into the body of a success. */
type Inspect = (content: object | undefined) => ReplicaOutcome | undefined;

export interface Requests {
  send(method: Exchange['method'], path: string, body?: string): Promise<Answered>;
  /** One transaction or batch. */
  bundle(type: 'transaction' | 'batch', entry: BundleEntry[]): Promise<Answered>;
  /** Copies by search, all pages; a page that is not answered is a fault. */
  find(queries: readonly string[]): Promise<readonly Copy[]>;
  /** The same with contents. */
  inspect(queries: readonly string[]): Promise<readonly Inspected[]>;
  /** How many each search finds. */
  count(queries: readonly string[]): Promise<readonly number[]>;
  /** One page of a walk. */
  page(url: string): Promise<CopyPage>;
}

/**
 * @param config - The validated settings.
 * @param client - With whose credentials.
 * @param parts - Clock, chance, the run's deadline.
 * @returns The transport.
 */
export function replicaRequests(config: Config, client: Client, parts: Parts): Requests {
  const { clock, random, deadlineAt } = parts;
  const send = parts.send ?? sender(clock, originsOf(config));
  const { replica, systems } = config;
  let pace: Pace | undefined;
  const timeLeft = (): number => Math.min(replica.timeoutMs, Math.max(1, deadlineAt - clock.now()));
  const tokens = tokenSource(client, {
    post: async (url, headers, body) => send({ method: 'POST', url, headers, body }, timeLeft()),
    clock,
    unique: () => random.uuid(),
    cache: parts.tokenCache,
  });

  async function once(method: Exchange['method'], path: string, body?: string): Promise<Answer> {
    let authorization = '';
    const exchange = async (): Promise<Answer> => {
      authorization = await tokens.header();
      return send(
        {
          method,
          url: replica.fhirUrl + path,
          headers: {
            Authorization: authorization,
            Accept: 'application/fhir+json',
            ...(body !== undefined && { 'Content-Type': 'application/fhir+json' }),
          },
          ...(body !== undefined && { body }),
        },
        timeLeft()
      );
    };
    const answer = await exchange();
    if (answer.status !== 401) {
      return answer;
    }
    tokens.renew(authorization);
    return exchange();
  }

  /** A fault on the way is an outcome like any other, so that one table decides what is tried again. */
  async function attempt(
    inspect: Inspect | undefined,
    ...[method, path, body]: Parameters<typeof once>
  ): Promise<Answered> {
    try {
      const answer = await once(method, path, body);
      pace = learn(pace, limitOf(answer.rateLimit), clock.now());
      const content = jsonOf(answer.body);
      const outcome = judge(answer, clock.now(), content);
      return { outcome: (outcome.kind === 'done' && inspect?.(content)) || outcome, content };
    } catch (error) {
      const outcome = outcomeIn(error);
      if (!outcome) {
        throw error;
      }
      return { outcome, content: undefined };
    }
  }

  async function request(
    inspect: Inspect | undefined,
    ...[method, path, body]: Parameters<typeof once>
  ): Promise<Answered> {
    if (body !== undefined && Buffer.byteLength(body) > MAX_BODY_BYTES) {
      return { outcome: { kind: 'rejected', status: 413 }, content: undefined };
    }
    for (let tries = 1; ; tries++) {
      const pause = pauseOf(pace, clock.now());
      const isInTime = clock.now() + pause < deadlineAt;
      if (pause > 0 && isInTime) {
        await clock.sleep(pause);
      } else if (pause > 0 && pace?.remaining === 0) {
        return { outcome: { kind: 'throttled', retryAfterMs: pause }, content: undefined };
      }
      const result = await attempt(inspect, method, path, body);
      const wait = nextWait(result.outcome, tries, random.unit());
      if (wait === undefined || clock.now() + wait >= deadlineAt) {
        return result;
      }
      await clock.sleep(wait);
    }
  }

  const bundle: Requests['bundle'] = (type, entry) =>
    request(
      (content) => judgeEntries(content, { count: entry.length, all: type === 'transaction' }, clock.now()),
      'POST',
      '',
      JSON.stringify({ resourceType: 'Bundle', type, entry } satisfies Bundle)
    );

  async function pagesOfAll(queries: readonly string[]): Promise<Bundle[]> {
    const answered = await bundle(
      'batch',
      queries.map((url) => ({ request: { method: 'GET', url } }))
    );
    return pagesOf(entriesOf(answered), queries.length);
  }

  async function search<T>(queries: readonly string[], read: (page: Bundle) => T[]): Promise<T[]> {
    const found: T[] = [];
    let open: readonly string[] = queries;
    while (open.length > 0) {
      const pages = await pagesOfAll(open);
      for (const page of pages) {
        found.push(...read(page));
      }
      open = pages.flatMap((page) => nextPage(page, replica.fhirUrl) ?? []);
    }
    return found;
  }

  return {
    send: (method, path, body) => request(undefined, method, path, body),
    bundle,
    find: (queries) => search(queries, (page) => copiesOf(page, systems)),
    inspect: (queries) => search(queries, (page) => inspectedOf(page, systems)),
    async count(queries): Promise<readonly number[]> {
      const pages = await pagesOfAll(queries.map((url) => `${url}&_total=accurate&_count=1`));
      return pages.map(({ total }) => {
        if (total === undefined) {
          throw new Fault('replica-rejected', ['no total']);
        }
        return total;
      });
    },
    async page(url): Promise<CopyPage> {
      const { outcome, content } = await request(undefined, 'GET', url);
      if (outcome.kind !== 'done') {
        throw faultOf(outcome);
      }
      const page = content as Bundle | undefined;
      if (page?.resourceType !== 'Bundle') {
        throw new Fault('replica-unavailable', ['a search was not answered']);
      }
      return { copies: inspectedOf(page, systems), next: nextPage(page, replica.fhirUrl) };
    },
  };
}

/**
 * @param answered - The answer to a batch.
 * @returns Its entries.
 * @throws The fault that an unsuccessful answer stands for.
 */
export function entriesOf({ outcome, content }: Answered): BundleEntry[] {
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
  return (content as Bundle | undefined)?.entry ?? [];
}

/**
 * @param config - The settings.
 * @returns The only places that requests go to: the replica, and where it gives its tokens.
 */
export function originsOf({ replica }: Config): readonly string[] {
  return [new URL(replica.fhirUrl).origin, new URL(replica.tokenUrl).origin];
}

function throttled(retryAfterMs: number | undefined): ReplicaOutcome {
  return { kind: 'throttled', ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** The outcome that a fault on the way stands for, if it is one of the replica's. */
function outcomeIn(error: unknown): ReplicaOutcome | undefined {
  switch (faultCodeOf(error)) {
    case 'replica-unavailable':
      return { kind: 'unavailable' };
    case 'replica-throttled':
      return throttled((error as Partial<SignInFault>).retryAfterMs);
    case 'replica-unauthorised':
      return { kind: 'unauthorised', status: 401 };
    case 'replica-rejected':
      return { kind: 'rejected', status: 502 };
    default:
      return undefined;
  }
}

/** Every search of the batch must have been answered: an error entry is never an empty result. */
function pagesOf(entries: readonly BundleEntry[], expected: number): Bundle[] {
  const pages = entries.map((entry) => entry.resource as Bundle | undefined);
  if (pages.length !== expected || !pages.every((page) => page?.resourceType === 'Bundle')) {
    throw new Fault('replica-unavailable', ['a search was not answered']);
  }
  return pages as Bundle[];
}
