/** Ways of signing in, by the built bundles in the vm, where other realms' bytes and missing globals would show. */
import { generateKeyPairSync } from 'node:crypto';
import type { Basic, Patient } from '@medplum/fhirtypes';
import { afterEach, expect, test } from 'vitest';
import { jwkOf, readSigningKey } from '../../src/config/client-key.ts';
import type { SigningKey } from '../../src/config/client-key.ts';
import { startAuthServer } from '../support/auth-server.ts';
import type { AuthServer, RegisteredClient } from '../support/auth-server.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World | undefined;
let server: AuthServer | undefined;
afterEach(async () => {
  await world?.close();
  await server?.close();
});

/** The replica accepts what this server grants: the tokens are the replica's own. */
async function guard(client: RegisteredClient): Promise<AuthServer> {
  server = await startAuthServer([client], {
    rotate: true,
    mint: async () => {
      const { replica } = world!.sandbox;
      const { id, secret } = world!.installed.replicaClient;
      const answer = await fetch(`${replica.baseUrl}oauth2/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    },
  });
  return server;
}

async function copied(settings: Record<string, string | undefined>): Promise<number> {
  world = await createWorld({ settings: { REPLICA_CLIENT_ID: 'bots', REPLICA_CLIENT_SECRET: undefined, ...settings } });
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  return (await all<Patient>(world.sandbox, 'Patient', 'replica')).length;
}

test.each([
  ['RS384', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['ES384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
])('a client assertion signed with %s', async (_alg, { privateKey }) => {
  const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const keys = [jwkOf(readSigningKey(text) as SigningKey) as never];
  const { tokenUrl, refusals, granted } = await guard({
    id: 'bots',
    method: 'private_key_jwt',
    grants: ['client_credentials'],
    jwks: { keys },
  });
  expect(await copied({ REPLICA_AUTH: 'jwt-assertion', REPLICA_TOKEN_PATH: tokenUrl, REPLICA_PRIVATE_KEY: text })).toBe(
    1
  );
  expect(refusals).toEqual([]);
  expect(granted.length).toBeGreaterThan(0);
});

test('a refresh token that rotates is never used twice by bots that start at once', async () => {
  const { tokenUrl, refusals, granted, startFamily } = await guard({
    id: 'bots',
    method: 'none',
    grants: ['refresh_token'],
  });
  const first = startFamily('bots');
  expect(
    await copied({ REPLICA_AUTH: 'refresh-token', REPLICA_TOKEN_PATH: tokenUrl, REPLICA_REFRESH_TOKEN: first })
  ).toBe(1);
  expect(refusals).toEqual([]);
  expect(granted).toHaveLength(1);
  const controls = JSON.stringify(await all<Basic>(world!.sandbox, 'Basic', 'source'));
  expect(controls).toContain('sealed-token');
  expect(controls).not.toContain(first);
});
