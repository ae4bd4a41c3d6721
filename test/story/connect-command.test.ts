/** `npm run connect` as people type it, as processes against a source: keys, what is set, and what is taken out. */
import type { Project } from '@medplum/fhirtypes';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { importJWK, importPKCS8 } from 'jose';
import type { JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setSettings } from '../support/callers.ts';
import { createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  world = await createWorld();
  const { source } = world.sandbox;
  const { id, secret } = await source.createClient('operator', { admin: true });
  env = {
    PATH: process.env.PATH,
    MEDPLUM_BASE_URL: source.baseUrl,
    MEDPLUM_CLIENT_ID: id,
    MEDPLUM_CLIENT_SECRET: secret,
  };
});
afterAll(async () => {
  await world.close();
});

/** Whatever it does, it shows no secret. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const ended = await promisify(execFile)(process.execPath, ['scripts/connect.ts', ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, out: stdout, err: stderr };
    }
  );
  const all = await secrets();
  for (const name of ['REPLICA_CLIENT_SECRET', 'REPLICA_PRIVATE_KEY', 'REPLICA_REFRESH_TOKEN', 'PSEUDONYM_KEY']) {
    const value = all[name];
    if (value) {
      expect([name, `${ended.out}${ended.err}`.includes(value.trim().split('\n')[1] ?? value)]).toEqual([name, false]);
    }
  }
  return ended;
}

async function secrets(): Promise<Record<string, string | undefined>> {
  const { source } = world.sandbox;
  const { secret = [] } = await source.repo.readResource<Project>('Project', source.projectId);
  return Object.fromEntries(secret.map(({ name, valueString }) => [name, valueString]));
}

const keyIn = (out: string): JWK => (JSON.parse(out) as { keys: [JWK] }).keys[0];

describe('keys', () => {
  test('without one there is nothing to print, and it says how to make one', async () => {
    const { code, err } = await run('jwks');
    expect([code, err.includes('keygen')]).toEqual([1, true]);
  });

  test('keygen stores a private key and prints its public half, which jwks prints again', async () => {
    const { code, out } = await run('keygen');
    expect(code).toBe(0);
    const printed = keyIn(out);
    expect(printed).toMatchObject({ kty: 'EC', crv: 'P-384', alg: 'ES384', use: 'sig' });
    expect(Object.keys(printed)).not.toContain('d');
    await importJWK(printed, 'ES384');
    const { REPLICA_PRIVATE_KEY = '' } = await secrets();
    await importPKCS8(REPLICA_PRIVATE_KEY, 'ES384');
    expect(keyIn((await run('jwks')).out)).toEqual(printed);
  });

  test('a key is not replaced unless that is said', async () => {
    const before = (await secrets()).REPLICA_PRIVATE_KEY;
    expect((await run('keygen', '--alg', 'RS384')).code).toBe(1);
    expect((await secrets()).REPLICA_PRIVATE_KEY).toBe(before);
    const { code, out } = await run('keygen', '--alg', 'RS384', '--replace');
    expect([code, keyIn(out).kty, keyIn(out).alg]).toEqual([0, 'RSA', 'RS384']);
    expect((await secrets()).REPLICA_PRIVATE_KEY).not.toBe(before);
  });

  test('another algorithm is refused', async () => {
    expect((await run('keygen', '--alg', 'HS256', '--replace')).code).toBe(1);
  });
});

describe('what is set', () => {
  test('describe: each setting, and of secrets whether they are set', async () => {
    const { code, out } = await run('describe');
    expect(code).toBe(0);
    expect(out).toMatch(/signs in by +client-credentials/);
    expect(out).toContain(world.sandbox.replica.baseUrl);
    expect(out).toMatch(/client secret +set, sent by client_secret_basic/);
    expect(out).toMatch(/refresh token +not set/);
  });

  test('list: the replica, and the eraser when there is one', async () => {
    await setSettings(world, { ERASER_CLIENT_ID: 'the-eraser', ERASER_CLIENT_SECRET: 'a-secret-of-the-eraser' });
    const { code, out } = await run('list');
    expect([code, out.trim().split('\n').length]).toEqual([0, 2]);
    expect(out).toMatch(/replica +client-credentials .*\n +eraser +client-credentials .*the-eraser/);
    expect(out).not.toContain('a-secret-of');
    await setSettings(world, { ERASER_CLIENT_ID: '', ERASER_CLIENT_SECRET: '' });
    expect((await run('list')).out).not.toContain('eraser');
  });

  test('remove takes out the refresh token and the way of signing in that needs it, and nothing else', async () => {
    expect((await run('remove')).out).toContain('there is no refresh token');
    const before = await secrets();
    await setSettings(world, { REPLICA_AUTH: 'refresh-token', REPLICA_REFRESH_TOKEN: 'first-of-its-family' });
    expect((await run('describe')).out).toMatch(/signs in by +refresh-token[\s\S]*refresh token +set/);
    expect((await run('remove')).out).toContain('removed: REPLICA_REFRESH_TOKEN');
    expect(await secrets()).toEqual(before);
  });

  test('what is not understood changes nothing', async () => {
    const before = await secrets();
    for (const args of [['forget'], ['list', 'all'], ['list', '--nothing']]) {
      expect([args, (await run(...args)).code]).toEqual([args, 1]);
    }
    expect(await secrets()).toEqual(before);
  });
});
