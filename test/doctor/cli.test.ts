import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exitCodeOf, ok, warn } from '../../scripts/doctor/finding.ts';
import { createWard } from './kit.ts';
import type { Ward } from './kit.ts';

let ward: Ward;
beforeAll(async () => {
  ward = await createWard();
});
afterAll(async () => {
  await ward.world.close();
});

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const { PATH = '' } = process.env;
    execFile(
      process.execPath,
      [join(import.meta.dirname, '../../scripts/doctor.ts'), ...args],
      { env: { PATH, ...env } },
      (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
    );
  });
}

const environment = (): Record<string, string> => ({
  MEDPLUM_BASE_URL: ward.credentials.baseUrl,
  MEDPLUM_CLIENT_ID: ward.credentials.clientId,
  MEDPLUM_CLIENT_SECRET: ward.credentials.clientSecret,
});

test('the exit code is the worst verdict', async () => {
  expect([
    exitCodeOf([]),
    exitCodeOf([{ name: 'a', ...ok('') }]),
    exitCodeOf([
      { name: 'a', ...warn('', '') },
      { name: 'b', ...ok('') },
    ]),
  ]).toEqual([0, 0, 1]);
  const eyes = { REPLICA_ADMIN_CLIENT_ID: ward.overseer.id, REPLICA_ADMIN_CLIENT_SECRET: ward.overseer.secret };
  expect(await run([], { ...environment(), ...eyes })).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining('31 ok, 0 warn, 0 fail'),
  });
  expect(await run([], environment())).toMatchObject({ code: 1, out: expect.stringContaining('2 warn') });
  expect(await run([], { ...environment(), MEDPLUM_CLIENT_SECRET: 'wrong' })).toMatchObject({ code: 2 });
});

test('--json is one document', async () => {
  const { code, out } = await run(['--json'], environment());
  const { verdict, checks } = JSON.parse(out) as {
    verdict: string;
    checks: { name: string; verdict: string; detail: string; remedy: string }[];
  };
  expect([code, verdict, checks.length]).toEqual([1, 'warn', 31]);
  expect(Object.keys(checks[0] ?? {}).sort()).toEqual(['detail', 'name', 'remedy', 'verdict']);
});

test('what is missing or misspelt is refused', async () => {
  expect(await run([], {})).toMatchObject({
    code: 1,
    err: expect.stringContaining('missing in the environment: MEDPLUM_BASE_URL'),
  });
  expect(await run(['--jsno'], environment())).toMatchObject({ code: 1, out: '' });
  expect(await run([], { ...environment(), REPLICA_ADMIN_CLIENT_ID: 'x' })).toMatchObject({
    code: 1,
    err: expect.stringContaining('go together'),
  });
});
