/** The login in the browser, against an authorization server that refuses every deviation. The browser is a `fetch`. */
import { createServer } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { CALLBACK, login } from '../../scripts/connect/login.ts';
import type { Login } from '../../scripts/connect/login.ts';
import { load } from '../../src/config/load.ts';
import type { Config } from '../../src/config/load.ts';
import { startAuthServer } from '../support/auth-server.ts';
import type { AuthServer } from '../support/auth-server.ts';

let server: AuthServer;
afterEach(async () => server.close());

const SCOPE = 'user/*.cruds offline_access';

async function begin(): Promise<void> {
  server = await startAuthServer([
    { id: 'client', method: 'none', grants: ['authorization_code'], scope: SCOPE, redirectPath: CALLBACK },
  ]);
}

function replica(): Config['replica'] {
  const values = {
    REPLICA_BASE_URL: server.origin,
    REPLICA_CLIENT_ID: 'client',
    REPLICA_AUTH: 'authorization-code',
    REPLICA_REFRESH_TOKEN: 'none-yet',
    PSEUDONYM_KEY: 'fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a',
  };
  const loaded = load(Object.fromEntries(Object.entries(values).map(([name, valueString]) => [name, { valueString }])));
  if ('problems' in loaded) {
    throw new Error(loaded.problems.join());
  }
  return loaded.config.replica;
}

async function signIn(open: (url: string) => void, change: Partial<Parameters<typeof login>[0]> = {}): Promise<Login> {
  const client = replica();
  return login({
    client,
    fhirUrl: client.fhirUrl,
    authorizeUrl: undefined,
    isTokenUrlGiven: false,
    scope: SCOPE,
    port: 0,
    timeoutMs: 10_000,
    open,
    ...change,
  });
}

const browse = (url: string): void => void fetch(url);

test('by discovery: a refresh token, and nothing that the server has to complain of', async () => {
  await begin();
  const { refreshToken, tokenUrl } = await signIn(browse);
  expect(server.refusals).toEqual([]);
  expect(refreshToken).toMatch(/^[\w-]{32}$/);
  expect(tokenUrl).toBe(server.tokenUrl);
});

test('by addresses that are given, without discovery', async () => {
  await begin();
  const { refreshToken } = await signIn(browse, {
    authorizeUrl: `${server.origin}/oauth2/authorize`,
    isTokenUrlGiven: true,
  });
  expect(refreshToken).toMatch(/^[\w-]{32}$/);
});

test('an answer with another state is refused, and its code is not used', async () => {
  await begin();
  server.forgedState = 'x'.repeat(43);
  await expect(signIn(browse)).rejects.toThrow('another state');
  expect(server.granted).toEqual([]);
});

test('what the server says when it refuses is shown', async () => {
  await begin();
  server.denyWith = 'access_denied';
  await expect(signIn(browse)).rejects.toThrow('the server refused: access_denied');
});

test('a code that was asked for with another verifier is of no use', async () => {
  await begin();
  const swap = (url: string): void => {
    const forged = new URL(url);
    forged.searchParams.set('code_challenge', 'A'.repeat(43));
    browse(forged.href);
  };
  await expect(signIn(swap)).rejects.toThrow('400: invalid_grant');
  expect(server.refusals).toEqual(['invalid_grant: code_verifier']);
});

test('whoever knocks elsewhere is turned away, and the login goes on', async () => {
  await begin();
  const knock = (url: string): void => {
    const back = new URL(new URL(url).searchParams.get('redirect_uri') ?? '');
    void fetch(new URL('/favicon.ico', back)).then(({ status }) => {
      expect(status).toBe(404);
      browse(url);
    });
  };
  expect((await signIn(knock)).refreshToken).toBeTruthy();
});

test('nobody comes: the time is up', async () => {
  await begin();
  await expect(signIn(() => undefined, { timeoutMs: 20 })).rejects.toThrow('nobody signed in in time');
});

test('a port that is taken is said', async () => {
  await begin();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as { port: number };
  await expect(signIn(browse, { port })).rejects.toThrow(`port ${port} is in use`);
  taken.close();
});

test('an address without TLS that is not of this machine is not trusted with a login', async () => {
  await begin();
  await expect(
    signIn(browse, { authorizeUrl: 'http://login.example/authorize', isTokenUrlGiven: true })
  ).rejects.toThrow('without TLS');
});
