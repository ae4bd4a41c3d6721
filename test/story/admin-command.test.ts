/** `npm run admin` as people type it: a process against a source, and its command line alone. */
import type { Consent } from '@medplum/fhirtypes';
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCommand } from '../../scripts/admin/command.ts';
import { rendered } from '../../scripts/admin/render.ts';
import { ACTIONS } from '../../src/bots/actions.ts';
import { fileOf, tidy } from '../demo/kit.ts';
import { client, setSettings } from '../support/callers.ts';
import { admit, all, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
let env: NodeJS.ProcessEnv;
let patientId: string;

beforeAll(async () => {
  world = await createWorld();
  patientId = (await admit(world)).patient.id;
  const { reference, authorization } = await client(world);
  const [id, secret] = Buffer.from(authorization.slice('Basic '.length), 'base64').toString().split(':');
  await setSettings(world, { ADMIN_CLIENTS: reference });
  env = {
    PATH: process.env['PATH'],
    MEDPLUM_BASE_URL: world.sandbox.source.baseUrl,
    MEDPLUM_CLIENT_ID: id,
    MEDPLUM_CLIENT_SECRET: secret,
  };
  await world.settle();
});
afterAll(async () => {
  tidy();
  await world.close();
});

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['scripts/admin.ts', ...args], { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

describe('npm run admin', () => {
  test('gives and shows consent as tables', async () => {
    const given = await run('consent', 'grant', patientId, '--classes', 'DEMOGRAPHICS');
    expect(given).toMatchObject({ code: 0, err: '' });
    expect(given.out).toMatch(/changed \(1\)\n +consent +result\n +Consent\/\S+ +written\n/);
    const { code, out } = await run('consent', 'show', patientId);
    expect(code).toBe(0);
    expect(out).toMatch(/class +decision +because\n +DEMOGRAPHICS +permit +Permitted for TREAT/);
    expect(await all<Consent>(world.sandbox, 'Consent', 'source')).toHaveLength(1);
  });

  test('--json is the bot’s answer, and nothing else', async () => {
    const { out } = await run('consent', 'show', '--patient', patientId, '--json');
    expect(JSON.parse(out)).toMatchObject({ patient: `Patient/${patientId}` });
  });

  test('what is left to do is exit code 1', async () => {
    const [{ id, ...own }] = (await all<Consent>(world.sandbox, 'Consent', 'source')) as [Consent];
    expect(id).toBeDefined();
    await world.sandbox.source.repo.createResource<Consent>({
      ...own,
      provision: { ...own.provision, dataPeriod: { start: '1900-01-01' } },
    });
    const { code, out } = await run('consent', 'revoke', patientId);
    expect([code, out]).toEqual([1, expect.stringContaining('Still permitted: DEMOGRAPHICS')]);
  });

  test('a page goes to a file that only its owner can read, with a warning', async () => {
    await world.settle();
    const [copy] = await all(world.sandbox, 'Patient', 'replica');
    const token = (copy as { identifier?: { value: string }[] }).identifier?.[0]?.value ?? '';
    const file = join(dirname(fileOf({})), 'proof.html');
    const { code, out, err } = await run('consent-proof', token, '--format', 'page', '--out', file);
    expect([code, out, err]).toEqual([0, '', expect.stringContaining('personal data')]);
    expect(readFileSync(file, 'utf8')).toMatch(/^<!doctype html>/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('a refusal is said with what to do, without the caller’s words', async () => {
    const refused = await run('consent', 'show', 'urn:mrn|MRN-Doe-77');
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('patient must be Patient/<id>')]);
    await setSettings(world, { ADMIN_CLIENTS: '' });
    const { code, err } = await run('help');
    expect([code, err]).toEqual([1, expect.stringMatching(/Only an ADMIN may ask this[^]*ADMIN_CLIENTS/)]);
  });
});

describe('the command line', () => {
  const read = (...args: string[]): unknown => readCommand(ACTIONS, args);

  test.each([
    [['consent', 'show', 'p1'], 'consent/show', { patient: 'p1' }],
    [['consent/show', 'p1'], 'consent/show', { patient: 'p1' }],
    [['consent-proof', 'pt_x'], 'consent/proof', { token: 'pt_x' }],
    [
      ['consent', 'grant', '--classes', 'A,B', 'p1', '--dry-run'],
      'consent/grant',
      { classes: 'A,B', patient: 'p1', dryRun: true },
    ],
    [['consent', 'grant', '--param', 'patient=p1', 'A'], 'consent/grant', { patient: 'p1', classes: 'A' }],
    [['help', 'consent'], 'help', { topic: 'consent' }],
  ])('%j', (args, name, input) => expect(read(...args)).toMatchObject({ name, input }));

  test.each([
    [[], 'ACTION [PARAMETERS]'],
    [['no', 'such'], 'There is no action "no such"'],
    [['consent', 'show', 'p1', 'p2'], 'too much: p2'],
    [['consent', 'grant', 'p1', '--dryrun'], "Unknown option '--dryrun'"],
    [['consent', 'show', '--param', 'x'], '--param is written'],
  ])('%j is not understood', (args, says) =>
    expect(read(...args)).toMatchObject({ isError: true, usage: expect.stringContaining(says) as string })
  );

  test('help is no error, and comes from the table', () => {
    expect(read('--help')).toMatchObject({ isError: false });
    expect(read('consent', 'grant', '--help')).toMatchObject({
      isError: false,
      usage: expect.stringMatching(/--dry-run +\[boolean\]/) as string,
    });
  });
});

describe('an answer as text', () => {
  test('numbers, lists, tables and what is inside', () => {
    const answer = {
      waiting: 1,
      isPaused: false,
      failed: [
        { id: 'a', attempts: 3 },
        { id: 'bcd', code: 'x\u001b[31my' },
      ],
      none: [],
      by: { type: { Patient: 2 } },
    };
    expect(rendered(answer).split('\n')).toEqual([
      'waiting   1',
      '  isPaused  false',
      '',
      'failed (2)',
      '  id   attempts  code',
      '  a    3',
      '  bcd            x [31my',
      '',
      'none (0)',
      '',
      'by',
      '',
      'type',
      '  Patient  2',
    ]);
  });
});
