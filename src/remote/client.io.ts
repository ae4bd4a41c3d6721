/** The replica: the only opener of `Sealed`, the only sender of data. Owns its retries, so nobody else retries blindly. */
import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';
import { Buffer } from 'node:buffer';
import type { Config } from '../config/load.ts';
import { open } from '../fhir/sealed.ts';
import type { Sealed } from '../fhir/sealed.ts';
import { Fault, faultCodeOf, faultOf } from '../observability/fault.ts';
import type { Change, Clock, Copy, Random, ReplicaFhir, ReplicaOutcome } from '../ports.ts';
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

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  /** No try begins after this instant, in milliseconds since the epoch. */
  readonly deadlineAt: number;
  readonly send?: Send;
  /** Where access tokens are kept between runs. */
  readonly tokenCache?: TokenCache;
}

/**
 * A client of the replica.
 *
 * @param config - The validated settings.
 * @param parts - Clock, chance, the run's deadline.
 * @returns The client.
 */
export function replicaClient(config: Config, parts: Parts): ReplicaFhir {
  const { clock, random, deadlineAt } = parts;
  const send = parts.send ?? sender(clock);
  const { replica, systems } = config;
  const tokens: TokenSource =
    replica.auth === 'basic'
      ? basic(replica)
      : clientCredentials(
          replica,
          async (url, headers, body) => send({ method: 'POST', url, headers, body }, timeLeft()),
          clock,
          parts.tokenCache
        );

  const timeLeft = (): number => Math.min(replica.timeoutMs, Math.max(1, deadlineAt - clock.now()));

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
  async function attempt(
    method: Exchange['method'],
    path: string,
    body?: string
  ): Promise<{ outcome: ReplicaOutcome; body: string }> {
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

  async function request(
    method: Exchange['method'],
    path: string,
    body?: string
  ): Promise<{ outcome: ReplicaOutcome; body: string }> {
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

  const transaction = async (entry: BundleEntry[]): Promise<ReplicaOutcome> =>
    (await request('POST', '', JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry } satisfies Bundle)))
      .outcome;

  return {
    upsert: async (sealed) => (await request('PUT', conditional(sealed), JSON.stringify(open(sealed)))).outcome,
    upsertTogether: (all) =>
      transaction(
        all.map((sealed) => ({ resource: open(sealed), request: { method: 'PUT', url: conditional(sealed) } }))
      ),
    withdraw: async (resourceType, tokenSystem, token) =>
      (await request('DELETE', `${resourceType}?identifier=${encodeURIComponent(`${tokenSystem}|${token}`)}`)).outcome,
    write: (changes) => transaction(changes.map(entryOf)),
    async find(queries): Promise<readonly Copy[]> {
      const copies: Copy[] = [];
      let open: readonly string[] = queries;
      while (open.length > 0) {
        const entry = open.map((url): BundleEntry => ({ request: { method: 'GET', url } }));
        const { outcome, body } = await request(
          'POST',
          '',
          JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry } satisfies Bundle)
        );
        const pages = outcome.kind === 'done' ? pagesOf(body, open.length) : fail(outcome);
        copies.push(...pages.flatMap((page) => copiesOf(page, systems)));
        open = pages.flatMap((page) => nextPage(page, replica.fhirUrl) ?? []);
      }
      return copies;
    },
  };
}

function conditional(sealed: Sealed): string {
  return `${sealed.resourceType}?identifier=${encodeURIComponent(`${sealed.tokenSystem}|${sealed.token}`)}`;
}

function entryOf(change: Change): BundleEntry {
  switch (change.action) {
    case 'create':
      return { resource: open(change.sealed), request: { method: 'POST', url: change.sealed.resourceType } };
    case 'update': {
      const resource = { ...open(change.sealed), id: change.id } as Resource;
      return { resource, request: { method: 'PUT', url: `${change.sealed.resourceType}/${change.id}` } };
    }
    case 'delete':
      return { request: { method: 'DELETE', url: `${change.copy.resourceType}/${change.copy.id}` } };
  }
}

/** Every search of the batch must have been answered: an error entry is never an empty result. */
function pagesOf(body: string, expected: number): Bundle[] {
  const bundle = JSON.parse(body) as Bundle;
  const pages = (bundle.entry ?? []).map((entry) => entry.resource as Bundle | undefined);
  if (pages.length !== expected || !pages.every((page) => page?.resourceType === 'Bundle')) {
    const throttled = bundle.entry?.some((entry) => entry.response?.status?.startsWith('429'));
    throw new Fault(throttled ? 'replica-throttled' : 'replica-unavailable', ['a search was not answered']);
  }
  return pages as Bundle[];
}

function fail(outcome: ReplicaOutcome): never {
  throw faultOf(outcome);
}
