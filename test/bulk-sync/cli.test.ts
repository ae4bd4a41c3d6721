/** The command as a process: it shows how far it is, Ctrl-C stops it, the next call goes on. */
import type { Basic } from '@medplum/fhirtypes';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { admit, all, consent, copies, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const PATIENTS = 230;

let world: World;
let environment: Record<string, string>;
beforeEach(async () => {
  world = await createWorld();
  const { source } = world.sandbox;
  source.faults.loseSubscriptionEvents(() => true, 10_000);
  for (let i = 0; i < PATIENTS; i++) {
    await consent(world, (await admit(world)).patient);
  }
  const { id, secret } = await source.createClient('operator', { admin: true });
  const { PATH = '' } = process.env;
  environment = { PATH, MEDPLUM_BASE_URL: source.baseUrl, MEDPLUM_CLIENT_ID: id, MEDPLUM_CLIENT_SECRET: secret };
});
afterEach(async () => {
  await world.close();
});

interface Ended {
  readonly code: number | null;
  readonly lines: string[];
  readonly err: string;
}

/** @param stopAt - Is sent SIGINT, as by Ctrl-C, when it has said this. */
function bulkSync(args: readonly string[], stopAt?: RegExp): Promise<Ended> {
  const script = join(import.meta.dirname, '../../scripts/bulk-sync.ts');
  const child = spawn(process.execPath, [script, ...args], { env: environment });
  let [out, err] = ['', ''];
  child.stderr.on('data', (data: Buffer) => (err += String(data)));
  child.stdout.on('data', (data: Buffer) => {
    const isBefore = stopAt?.test(out) === false;
    out += String(data);
    if (isBefore && stopAt.test(out)) {
      child.kill('SIGINT');
    }
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, lines: out.split('\n').filter(Boolean), err }));
  });
}

test(
  'it shows how far it is until all is copied; Ctrl-C stops it, the next call goes on',
  { timeout: 180_000 },
  async () => {
    const dry = await bulkSync(['--dry-run']);
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.lines.at(-1)).toBe('would be brought in line: 690 notSynced');
    expect(await copies(world)).toEqual({ Patient: 0, Encounter: 0, Observation: 0 });

    const stopped = await bulkSync(['--seconds', '1'], / of 230 patients /);
    expect(stopped).toMatchObject({ code: 0, err: '' });
    expect(stopped.lines[0]).toMatch(/^[█░]{30} {2}\d+ % {2}\d+ of 230 patients {2}\d+ copies {2}\d+\/s/);
    expect(stopped.lines).toContain('stopping when the bot has answered…');
    expect(stopped.lines.at(-1)).toBe('stopped; the next call goes on from here, and so does the bot by its schedule');
    const half = (await all(world.sandbox, 'Observation', 'replica')).length;
    expect(half).toBeLessThan(PATIENTS);

    const ended = await bulkSync(['--seconds', '1']);
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.lines.at(-1)).toBe('done');
    expect(ended.lines.at(-2)).toMatch(/^█{30} {2}100 % {2}230 of 230 patients {2}690 copies/);
    expect(await copies(world)).toEqual({ Patient: PATIENTS, Encounter: PATIENTS, Observation: PATIENTS });
  }
);

test('while another run of the bot works on it, it waits; of a wrong option it says which there are', async () => {
  await world.execute('reconcile', { onlyNotSynced: true, seconds: 0 });
  const controls = await all<Basic>(world.sandbox, 'Basic', 'source');
  const run = controls.find(({ identifier }) => identifier?.[0]?.value === 'reconcile');
  const leasedUntil = new Date(world.sandbox.clock.now() + 300_000).toISOString();
  await world.sandbox.source.repo.updateResource<Basic>({
    ...(run as Basic),
    extension: run?.extension?.map((one) => (one.valueInstant ? { ...one, valueInstant: leasedUntil } : one)) ?? [],
  });
  const waited = await bulkSync([], /waiting/);
  expect(waited).toMatchObject({ code: 0, err: '' });
  expect(waited.lines[0]).toBe('another run of the bot works on it; waiting');
  expect(waited.lines.at(-1)).toContain('stopped');
  expect(await bulkSync(['--nonsense'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('npm run bulk-sync --') as string,
  });
});
