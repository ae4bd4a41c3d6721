/** Every way of signing in, against a server that refuses what is not to the letter. */
import type { Basic } from '@medplum/fhirtypes';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { load } from '../../src/config/load.ts';
import type { Config } from '../../src/config/load.ts';
import { jwkOf } from '../../src/config/client-key.ts';
import { systemClock } from '../../src/observability/clock.io.ts';
import type { SourceFhir } from '../../src/ports.ts';
import { replicaRequests } from '../../src/remote/requests.io.ts';
import type { Requests } from '../../src/remote/requests.io.ts';
import { carryToken } from '../../src/remote/token-cache.io.ts';
import { startAuthServer } from '../support/auth-server.ts';
import type { AuthServer, RegisteredClient } from '../support/auth-server.ts';

const pem = (pair: { readonly privateKey: { export(o: { type: 'pkcs8'; format: 'pem' }): string | Buffer } }): string =>
  pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const RSA = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const EC = pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
/** Characters on which Basic, forms and percent-encoding differ. */
const ODD = { id: 'client/ü:1', secret: 'a+b c%:ß&=~*-._!' };
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

let server: AuthServer | undefined;
afterEach(async () => server?.close());

function configOf(settings: Readonly<Record<string, string>>, origin = 'http://127.0.0.1:1'): Config {
  const values = {
    REPLICA_BASE_URL: origin,
    REPLICA_CLIENT_ID: 'client',
    PSEUDONYM_KEY: 'fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a',
    ...settings,
  };
  const loaded = load(Object.fromEntries(Object.entries(values).map(([name, valueString]) => [name, { valueString }])));
  if ('problems' in loaded) {
    throw new Error(loaded.problems.join());
  }
  return loaded.config;
}

let count = 0;
const random = { unit: () => 0.5, uuid: () => `unique-${++count}` };
const partsNow = (): { clock: typeof systemClock; random: typeof random; deadlineAt: number } => ({
  clock: systemClock,
  random,
  deadlineAt: Date.now() + 20_000,
});
const requestsOf = (config: Config): Requests => replicaRequests(config, config.replica, partsNow());

async function meet(client: Partial<RegisteredClient>, settings: Readonly<Record<string, string>>): Promise<Requests> {
  const { signingKey } = configOf(settings).replica;
  server = await startAuthServer([
    {
      id: settings['REPLICA_CLIENT_ID'] ?? 'client',
      method: 'none',
      grants: ['client_credentials'],
      ...(signingKey && { jwks: { keys: [jwkOf(signingKey)] } }),
      ...client,
    },
  ]);
  return requestsOf(configOf(settings, server.origin));
}

describe.each<[string, Partial<RegisteredClient>, Record<string, string>]>([
  [
    'client-credentials, in the header',
    { method: 'client_secret_basic', secret: ODD.secret },
    { REPLICA_CLIENT_ID: ODD.id, REPLICA_CLIENT_SECRET: ODD.secret },
  ],
  [
    'client-credentials, in the body, with a scope',
    { method: 'client_secret_post', secret: ODD.secret, scope: 'system/*.cruds openid' },
    {
      REPLICA_CLIENT_ID: ODD.id,
      REPLICA_CLIENT_SECRET: ODD.secret,
      REPLICA_CLIENT_AUTH: 'client_secret_post',
      REPLICA_SCOPE: 'system/*.cruds openid',
    },
  ],
  [
    'SMART Backend Services with RS384',
    { method: 'private_key_jwt', scope: 'system/*.rs' },
    { REPLICA_AUTH: 'jwt-assertion', REPLICA_PRIVATE_KEY: RSA, REPLICA_SCOPE: 'system/*.rs' },
  ],
  [
    'SMART Backend Services with ES384, from one line with \\n',
    { method: 'private_key_jwt', scope: 'system/*.rs' },
    {
      REPLICA_AUTH: 'smart-backend-services',
      REPLICA_PRIVATE_KEY: EC.replaceAll('\n', '\\n'),
      REPLICA_SCOPE: 'system/*.rs',
    },
  ],
  [
    'jwt-bearer, signed by the secret',
    { grants: [JWT_BEARER], secret: ODD.secret, scope: 'openid profile' },
    {
      REPLICA_AUTH: 'jwt-bearer',
      REPLICA_CLIENT_SECRET: ODD.secret,
      REPLICA_ISSUER: 'the-issuer',
      REPLICA_SUBJECT: 'the-subject',
      REPLICA_AUDIENCE: '/oauth2/token',
      REPLICA_SCOPE: 'openid profile',
    },
  ],
  [
    'jwt-bearer, signed by a key with RS256',
    { grants: [JWT_BEARER] },
    {
      REPLICA_AUTH: 'jwt-bearer',
      REPLICA_PRIVATE_KEY: RSA,
      REPLICA_SIGNING_ALGORITHM: 'RS256',
      REPLICA_ISSUER: 'the-issuer',
      REPLICA_SUBJECT: 'the-subject',
    },
  ],
])('%s', (_name, client, settings) => {
  test('is accepted, once for all requests, and again when the token ends', async () => {
    const requests = await meet(client, settings);
    const all = await Promise.all([1, 2, 3].map(async (n) => requests.send('GET', `Patient?_count=${n}`)));
    expect(server?.refusals).toEqual([]);
    expect(all.map(({ outcome }) => outcome.kind)).toEqual(['done', 'done', 'done']);
    expect(server?.granted).toHaveLength(1);
    server?.expireAccess();
    const [one, two] = await Promise.all([requests.send('GET', 'Patient'), requests.send('GET', 'Patient')]);
    expect([one.outcome.kind, two.outcome.kind]).toEqual(['done', 'done']);
    expect(server?.refusals).toEqual([]);
    expect(server?.granted).toHaveLength(2);
  });

  test('is refused with anything else, and says so without trying again', async () => {
    const other = { ...settings, REPLICA_CLIENT_ID: 'somebody-else' };
    const requests = await meet(client, settings).then(() => requestsOf(configOf(other, server?.origin)));
    expect((await requests.send('GET', 'Patient')).outcome).toEqual({ kind: 'unauthorised', status: 401 });
    expect(server?.refusals).toHaveLength(1);
    expect(server?.asked).toEqual([]);
  });
});

test('a key that is not the registered one is refused', async () => {
  const settings = { REPLICA_AUTH: 'jwt-assertion', REPLICA_PRIVATE_KEY: EC };
  await meet({ method: 'private_key_jwt' }, settings);
  const stranger = pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
  const requests = requestsOf(configOf({ ...settings, REPLICA_PRIVATE_KEY: stranger }, server?.origin));
  expect((await requests.send('GET', 'Patient')).outcome.kind).toBe('unauthorised');
});

describe('a private key', () => {
  const small = pem(generateKeyPairSync('rsa', { modulusLength: 1024 }));
  const curve = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  test.each([
    ['is missing', {}, 'REPLICA_PRIVATE_KEY is missing'],
    ['is none', { REPLICA_PRIVATE_KEY: 'MIIE' }, 'REPLICA_PRIVATE_KEY is not a private key'],
    ['is too small', { REPLICA_PRIVATE_KEY: small }, 'less than 2048 bits'],
    ['is on another curve', { REPLICA_PRIVATE_KEY: curve }, 'on the curve P-384'],
    [
      'cannot sign what is wanted',
      { REPLICA_PRIVATE_KEY: RSA, REPLICA_SIGNING_ALGORITHM: 'ES384' },
      'is an RSA key, which cannot sign ES384',
    ],
  ])('that %s is a problem of the settings, which does not quote it', (_name, settings, problem) => {
    const said = (): Config => configOf({ REPLICA_AUTH: 'jwt-assertion', ...settings });
    expect(said).toThrow(problem);
    expect(said).not.toThrow(/BEGIN|MIIE/);
  });

  test('has the thumbprint of RFC 7638 as its id, and a public half without the private one', async () => {
    const { calculateJwkThumbprint } = await import('jose');
    for (const text of [RSA, EC]) {
      const { signingKey } = configOf({ REPLICA_AUTH: 'jwt-assertion', REPLICA_PRIVATE_KEY: text }).replica;
      const jwk = jwkOf(signingKey!);
      expect(signingKey!.kid).toBe(await calculateJwkThumbprint(jwk as never));
      expect(Object.keys(jwk)).not.toContain('d');
    }
  });
});

describe('a refresh token that rotates', () => {
  /** One Basic, with versions and If-Match: what the source does with control resources. */
  function shelf(): { readonly source: SourceFhir; readonly basic: () => Basic | undefined } {
    let kept: Basic | undefined;
    let version = 0;
    const write = (basic: Basic): Basic => {
      kept = { ...basic, id: 'b', meta: { versionId: `${++version}` } };
      return kept;
    };
    const source: Partial<SourceFhir> = {
      read: async (urls) => {
        await systemClock.sleep(1);
        const entry = kept ? [{ resource: kept }] : [];
        return urls.map(() => ({ status: 200, resource: { resourceType: 'Bundle', type: 'searchset', entry } }));
      },
      ensure: (basic) => Promise.resolve(kept ?? write(basic)),
      save: (basic) => Promise.resolve(void write(basic)),
      replace: async (basic, versionId) => {
        await systemClock.sleep(1);
        return kept?.meta?.versionId === versionId && Boolean(write(basic));
      },
    };
    return { source: source as SourceFhir, basic: () => kept };
  }

  async function family(): Promise<{
    readonly config: Config;
    readonly place: ReturnType<typeof shelf>;
    readonly run: () => Promise<Requests>;
  }> {
    server = await startAuthServer([{ id: 'client', method: 'none', grants: ['refresh_token'] }], {
      rotate: true,
      // Long enough for another run to look while this one waits for its answer.
      mint: async () => {
        await systemClock.sleep(100);
        return randomBytes(24).toString('base64url');
      },
    });
    const first = server.startFamily('client');
    const config = configOf({ REPLICA_AUTH: 'refresh-token', REPLICA_REFRESH_TOKEN: first }, server.origin);
    const place = shelf();
    return {
      config,
      place,
      // A bot starts from nothing: settings, and what lies in the source.
      run: async () => {
        const { source, cache } = carryToken(place.source, config, systemClock);
        await source.read(['Patient/1']);
        return replicaRequests(config, config.replica, { ...partsNow(), tokenCache: cache });
      },
    };
  }

  test('is used by one run at a time, however many begin at once', async () => {
    const { run, place, config } = await family();
    const runs = await Promise.all([1, 2, 3, 4, 5].map(run));
    const answers = await Promise.all(runs.map(async (requests) => requests.send('GET', 'Patient')));
    expect(server?.refusals).toEqual([]);
    expect(answers.map(({ outcome }) => outcome.kind)).toEqual(Array(5).fill('done'));
    expect(server?.granted).toHaveLength(1);
    expect(JSON.stringify(place.basic())).not.toContain(config.replica.refreshToken);
  });

  test('lives on over runs whose access token has ended', async () => {
    const { run } = await family();
    for (let n = 1; n <= 3; n++) {
      const [one, two] = [await run(), await run()];
      const both = await Promise.all([one.send('GET', 'Patient'), two.send('GET', 'Patient')]);
      expect(both.map(({ outcome }) => outcome.kind)).toEqual(['done', 'done']);
      expect(server?.granted).toHaveLength(n);
      server?.expireAccess();
    }
    expect(server?.refusals).toEqual([]);
  });

  test('is not lost by a run that met a server without time for it', async () => {
    const { run } = await family();
    server?.failures.push({ status: 503 });
    expect((await (await run()).send('GET', 'Patient')).outcome.kind).toBe('done');
    expect(server?.granted).toHaveLength(1);
  });

  test('that somebody else has used ends the family, and nobody tries for ever', async () => {
    const { run, config } = await family();
    await (await run()).send('GET', 'Patient');
    const thief = carryToken(shelf().source, config, systemClock).cache;
    const requests = replicaRequests(config, config.replica, { ...partsNow(), tokenCache: thief });
    expect((await requests.send('GET', 'Patient')).outcome).toEqual({ kind: 'unauthorised', status: 401 });
  });
});
