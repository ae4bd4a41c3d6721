import { V3_OBSERVATION_VALUE } from '../../src/fhir/systems.ts';
import type { Bundle } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/config/load.ts';
import type { Config } from '../../src/config/load.ts';
import { seal } from '../../src/fhir/sealed.ts';
import { replicaClient } from '../../src/remote/client.io.ts';
import type { Exchange } from '../../src/remote/http.io.ts';
import type { Answer } from '../../src/remote/outcome.ts';
import { tokenIn } from '../../src/remote/token.io.ts';
import { Fault } from '../../src/observability/fault.ts';

const config = (change: Record<string, string> = {}): Config => {
  const values = {
    REPLICA_BASE_URL: 'https://replica.test',
    REPLICA_CLIENT_ID: 'client',
    REPLICA_CLIENT_SECRET: 'secret',
    PSEUDONYM_KEY: 'fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a',
    ...change,
  };
  const loaded = load(Object.fromEntries(Object.entries(values).map(([name, valueString]) => [name, { valueString }])));
  if ('problems' in loaded) {
    throw new Error(loaded.problems.join());
  }
  return loaded.config;
};

const copy = seal(
  { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' } },
  { token: 'enc_1', tokenSystem: 'urn:token', digest: 'd' }
);

/** A server that behaves: token endpoint, expiry, and a script of answers for everything else. */
function server(
  script: readonly Partial<Answer>[],
  options: { readonly project?: string; readonly tokenStatus?: number } = {}
): {
  readonly send: (exchange: Exchange) => Promise<Answer>;
  readonly sent: Exchange[];
  readonly waits: number[];
  readonly clock: { now(): number; sleep(ms: number): Promise<void> };
} {
  const sent: Exchange[] = [];
  const waits: number[] = [];
  const rest = [...script];
  let now = 0;
  let issued = 0;
  const blank: Answer = { status: 200, retryAfter: null, rateLimit: null, body: '{}' };
  return {
    sent,
    waits,
    clock: {
      now: () => now,
      sleep: async (ms) => {
        // A wait that nobody shortens: time goes on by it.
        waits.push(ms);
        now += ms;
        await Promise.resolve();
      },
    },
    send: async (exchange) => {
      sent.push(exchange);
      await Promise.resolve();
      if (exchange.url.endsWith('/oauth2/token')) {
        const body = {
          access_token: `t${++issued}`,
          expires_in: 3600,
          project: { reference: `Project/${options.project ?? 'p'}` },
        };
        return { ...blank, status: options.tokenStatus ?? 200, body: JSON.stringify(body) };
      }
      const next = rest.shift();
      if (next?.status === 0) {
        throw new Fault('replica-unavailable');
      }
      return { ...blank, ...next };
    },
  };
}

function clientOf(
  world: ReturnType<typeof server>,
  change: Record<string, string> = {},
  deadlineAt = 60_000
): ReturnType<typeof replicaClient> {
  return replicaClient(config(change), {
    clock: world.clock,
    random: { unit: () => 0.5, uuid: () => 'u' },
    deadlineAt,
    send: world.send,
  });
}

describe('the replica client', () => {
  test('writes with one conditional update by token, and one token request', async () => {
    const world = server([]);
    const client = clientOf(world);
    expect(await client.upsert(copy)).toEqual({ kind: 'done', status: 200 });
    expect(await client.upsert(copy)).toEqual({ kind: 'done', status: 200 });
    expect(world.sent.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST https://replica.test/oauth2/token',
      'PUT https://replica.test/fhir/R4/Encounter?identifier=urn%3Atoken%7Cenc_1',
      'PUT https://replica.test/fhir/R4/Encounter?identifier=urn%3Atoken%7Cenc_1',
    ]);
    expect(world.sent[1]?.headers).toMatchObject({
      Authorization: 'Bearer t1',
      'Content-Type': 'application/fhir+json',
    });
  });

  test('callers at the same time share one token request', async () => {
    const world = server([]);
    const client = clientOf(world);
    await Promise.all([client.upsert(copy), client.upsert(copy), client.upsert(copy)]);
    expect(world.sent.filter(({ url }) => url.endsWith('token'))).toHaveLength(1);
  });

  test('a token that is refused in the middle of a run is renewed once', async () => {
    const world = server([{ status: 401 }, { status: 200 }]);
    expect(await clientOf(world).upsert(copy)).toEqual({ kind: 'done', status: 200 });
    expect(world.sent.at(-1)?.headers['Authorization']).toBe('Bearer t2');
  });

  test('a wrong secret is said, not repeated', async () => {
    const world = server([], { tokenStatus: 400 });
    expect(await clientOf(world).upsert(copy)).toEqual({ kind: 'unauthorised', status: 401 });
    expect(world.sent).toHaveLength(1);
  });

  test('a token of another project sends nothing', async () => {
    const world = server([], { project: 'other' });
    await expect(clientOf(world, { REPLICA_PROJECT_ID: 'p' }).upsert(copy)).rejects.toMatchObject({
      code: 'replica-wrong-project',
    });
    expect(world.sent).toHaveLength(1);
  });

  test('Basic asks for no token', async () => {
    const world = server([]);
    await clientOf(world, { REPLICA_AUTH: 'basic' }).upsert(copy);
    expect(world.sent.map(({ headers }) => headers['Authorization'])).toEqual(['Basic Y2xpZW50OnNlY3JldA==']);
  });

  test('a server error is tried again with growing waits, then told', async () => {
    const world = server(Array.from({ length: 20 }, () => ({ status: 503 })));
    expect(await clientOf(world).upsert(copy)).toEqual({ kind: 'unavailable', status: 503 });
    expect(world.waits).toEqual([1000, 2000, 4000]);
  });

  test('no try begins after the deadline', async () => {
    const world = server(Array.from({ length: 20 }, () => ({ status: 503 })));
    await clientOf(world, {}, 2500).upsert(copy);
    expect(world.waits).toEqual([1000]);
  });

  test('no answer at all is tried again as well', async () => {
    const world = server([{ status: 0 }, { status: 200 }]);
    expect(await clientOf(world).upsert(copy)).toEqual({ kind: 'done', status: 200 });
  });

  test('a body over a megabyte is not sent', async () => {
    const world = server([]);
    const huge = seal(
      { resourceType: 'Observation', status: 'final', code: { text: 'x'.repeat(1_000_001) } },
      { token: 't', tokenSystem: 's', digest: 'd' }
    );
    expect(await clientOf(world).upsert(huge)).toEqual({ kind: 'rejected', status: 413 });
    expect(world.sent).toEqual([]);
  });

  test('finds copies over all pages, and only ours', async () => {
    const tokens = config().systems;
    const encounter = (id: string, system: string): NonNullable<Bundle['entry']>[number] => ({
      resource: {
        resourceType: 'Encounter',
        id,
        status: 'finished',
        class: {},
        identifier: [{ system, value: `tok-${id}` }],
        meta: {
          tag: [{ system: tokens.digest, code: `dig-${id}` }],
          // The last one has lost its label, and counts as one without a digest: it is not what it should be.
          security: id === '3' ? [] : [{ system: V3_OBSERVATION_VALUE, code: 'PSEUDED' }],
        },
      },
    });
    const page = (entries: Bundle['entry'], next?: string): string =>
      JSON.stringify({
        resourceType: 'Bundle',
        type: 'batch-response',
        entry: [
          {
            resource: {
              resourceType: 'Bundle',
              type: 'searchset',
              entry: entries,
              link: next ? [{ relation: 'next', url: next }] : [],
            },
          },
        ],
      });
    const world = server([
      {
        body: page(
          [encounter('1', tokens.resourceToken), encounter('x', 'urn:foreign')],
          'https://other-name.test/fhir/R4/Encounter?_cursor=2'
        ),
      },
      { body: page([encounter('2', tokens.resourceToken), encounter('3', tokens.resourceToken)]) },
    ]);
    const copies = await clientOf(world).find(['Encounter?identifier=a']);
    expect(copies).toEqual([
      { resourceType: 'Encounter', id: '1', token: 'tok-1', digest: 'dig-1', references: [] },
      { resourceType: 'Encounter', id: '2', token: 'tok-2', digest: 'dig-2', references: [] },
      { resourceType: 'Encounter', id: '3', token: 'tok-3', digest: undefined, references: [] },
    ]);
    expect(world.sent.at(-1)?.url).toBe('https://replica.test/fhir/R4/');
    expect(world.sent.at(-1)?.body).toContain('"Encounter?_cursor=2"');
  });

  test('a search that is not answered is a fault, never an empty result', async () => {
    const failed = JSON.stringify({
      resourceType: 'Bundle',
      type: 'batch-response',
      entry: [{ response: { status: '500' } }],
    });
    await expect(clientOf(server([{ body: failed }])).find(['Encounter?identifier=a'])).rejects.toMatchObject({
      code: 'replica-unavailable',
    });
  });

  test('a transaction that ran as a batch is as good as its worst entry', async () => {
    const body = JSON.stringify({
      resourceType: 'Bundle',
      type: 'batch-response',
      entry: [{ response: { status: '201' } }, { response: { status: '422' } }],
    });
    const world = server([{ body }]);
    const changes = [copy, copy].map((sealed) => ({ action: 'create', sealed }) as const);
    expect(await clientOf(world).write(changes)).toEqual({ kind: 'rejected', status: 422 });
  });

  test('when the units are nearly used up, it waits for the next window instead of a 429', async () => {
    const world = server([
      { rateLimit: '"fhirInteractions";r=230;t=60' },
      { rateLimit: '"fhirInteractions";r=110;t=60' },
      { rateLimit: '"fhirInteractions";r=400;t=60' },
    ]);
    const client = clientOf(world, {}, 100_000);
    for (let n = 0; n < 3; n++) {
      expect(await client.upsert(copy)).toEqual({ kind: 'done', status: 200 });
    }
    expect(world.waits).toEqual([60_000]);
  });

  test('when they are used up and the next window is too late, nothing is sent', async () => {
    const world = server([{ rateLimit: '"fhirInteractions";r=0;t=60' }]);
    const client = clientOf(world, {}, 30_000);
    await client.upsert(copy);
    expect(await client.upsert(copy)).toEqual({ kind: 'throttled', retryAfterMs: 60_000 });
    expect(world.sent).toHaveLength(2);
    expect(world.waits).toEqual([]);
  });

  test('a token endpoint that is busy is waited for, as long as it says', async () => {
    const world = server([]);
    let isBusy = true;
    const send = async (exchange: Exchange): Promise<Answer> => {
      const answer = await world.send(exchange);
      if (isBusy && exchange.url.endsWith('token')) {
        isBusy = false;
        return { ...answer, status: 429, retryAfter: '7', body: '' };
      }
      return answer;
    };
    expect(await clientOf({ ...world, send }).upsert(copy)).toEqual({ kind: 'done', status: 200 });
    expect(world.waits).toEqual([7000]);
  });

  test.each<[string, object, string]>([
    ['of a type that we do not know', { access_token: 't', token_type: 'mac' }, 'unauthorised'],
    ['that is none', { token_type: 'Bearer' }, 'unauthorised'],
    ['as good as any', { access_token: 't', token_type: 'bearer' }, 'done'],
  ])('a token %s', async (_name, token, kind) => {
    const world = server([]);
    const send = async (exchange: Exchange): Promise<Answer> => ({
      ...(await world.send(exchange)),
      ...(exchange.url.endsWith('token') && { body: JSON.stringify(token) }),
    });
    expect((await clientOf({ ...world, send }).upsert(copy)).kind).toBe(kind);
  });

  test('a short-lived token is used for half of its life, a long one until a minute before its end', () => {
    const answer = (expires_in?: number): Answer => ({
      status: 200,
      retryAfter: null,
      rateLimit: null,
      body: JSON.stringify({ access_token: 't', expires_in }),
    });
    const until = (expires?: number): number => tokenIn(answer(expires), undefined, 0).until;
    expect([until(3600), until(60), until()]).toEqual([3_540_000, 30_000, 240_000]);
  });
});
