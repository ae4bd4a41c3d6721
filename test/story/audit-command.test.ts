/** `npm run audit` as people type it: processes against a source whose trail was sealed, touched, archived and restored. */
import type { AuditEvent, Basic, Patient } from '@medplum/fhirtypes';
import type { WithId } from '@medplum/core';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { signerOf } from '../../src/observability/signer.ts';
import { signIn } from '../../scripts/story/rest.ts';
import { setSettings } from '../support/callers.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const DAY = 86_400_000;
const SEED = createHash('sha256').update('the key of this story').digest('hex');
const systems = systemsOf();
let world: World;
let env: NodeJS.ProcessEnv;
let folder: string;
let key: string;
let patientId: string;
let token: string;
let consentId: string;

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return process_(env, args);
}

async function process_(
  environment: NodeJS.ProcessEnv,
  args: readonly string[]
): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['scripts/audit.ts', ...args], {
      env: environment,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

const source = (): World['sandbox']['source'] => world.sandbox.source;
const ours = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source'))
    .filter(({ type }) => type.system === systems.auditType)
    .sort((a, b) => (`${a.meta?.lastUpdated} ${a.id}` < `${b.meta?.lastUpdated} ${b.id}` ? -1 : 1));
const DISCLOSED = ['FHIR_SYNC', 'FHIR_READ'];

beforeAll(async () => {
  // At noon, so that no day ends in the middle.
  const start = `${new Date().toISOString().slice(0, 10)}T12:00:00Z`;
  world = await createWorld({ settings: { AUDIT_SIGNING_KEY: SEED } }, { start });
  const operator = await source().createClient('operator', { admin: true });
  env = {
    PATH: process.env['PATH'],
    MEDPLUM_BASE_URL: source().baseUrl,
    MEDPLUM_CLIENT_ID: operator.id,
    MEDPLUM_CLIENT_SECRET: operator.secret,
  };
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  key = join(folder, 'key.pem');
  const { patient } = await admit(world);
  patientId = patient.id;
  consentId = (await consent(world, patient)).id;
  await world.settle();
  const { replica } = world.sandbox;
  const reader = await signIn(replica.baseUrl, await replica.createClient('reader', { admin: true }));
  const [copy] = await all<Patient>(world.sandbox, 'Patient', 'replica');
  token = copy?.identifier?.[0]?.value ?? '';
  await reader.get(`Patient/${copy?.id}`);
  await world.execute('mirror-audit');
  await world.sandbox.clock.advance(2 * DAY);
  await world.execute('mirror-audit');
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const manifests = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.manifest.json'));
/** The archive with most of the events, and what it is made of. */
function archive(): { readonly manifest: string; readonly ndjson: string } {
  const [name = ''] = manifests().sort((a, b) => size(b) - size(a));
  return { manifest: join(folder, name), ndjson: join(folder, name.replace('.manifest.json', '.ndjson')) };
}
const size = (name: string): number => statSync(join(folder, name.replace('.manifest.json', '.ndjson'))).size;
const NO_SERVER = { PATH: process.env['PATH'] };
const alone = async (): Promise<{ code: number; out: string; err: string }> =>
  process_(NO_SERVER, ['verify', '--archive', archive().manifest, '--public-key', key]);

/** Changes an archive while the work is done. */
async function spoilt<T>(file: string, by: (text: string) => string, work: () => Promise<T>): Promise<T> {
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, by(text));
  expect(readFileSync(file, 'utf8')).not.toBe(text);
  try {
    return await work();
  } finally {
    writeFileSync(file, text);
  }
}

describe('a trail that nobody touched', () => {
  test('verify says so, and of how much', async () => {
    const { code, out } = await run('verify');
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(
        /^Nothing was changed, removed or inserted: 2 sealed days with \d\d+ events, and \d+ events not sealed yet/
      ),
    ]);
  });

  test('public-key is the key of the project, as PEM', async () => {
    const { out } = await run('public-key');
    expect(out.trim()).toBe(signerOf(SEED).publicKey.trim());
    writeFileSync(key, out);
  });

  test('export writes each sealed day, and verify needs no server for it', async () => {
    expect(await run('export', '--out', folder)).toMatchObject({ code: 0, out: '2 days written.\n' });
    expect(await alone()).toMatchObject({ code: 0, out: 'Nothing was changed, removed or inserted: 1 archives.\n' });
  });

  test.each([
    ['a changed event', 'ndjson', (text: string) => text.replace('"outcome":"0"', '"outcome":"4"'), 'archive-changed'],
    ['a removed event', 'ndjson', (text: string) => text.slice(text.indexOf('\n') + 1), 'archive-changed'],
    ['an inserted event', 'ndjson', (text: string) => `${text}\n${text.split('\n')[0]}`, 'archive-changed'],
    ['another count', 'manifest', (text: string) => text.replace(/count\\":\d+/, 'count\\":1'), 'archive-changed'],
  ] as const)('verify finds %s in an archive', async (_what, file, by, found) => {
    const { code, out } = await spoilt(archive()[file], by, alone);
    expect([code, out]).toEqual([1, expect.stringContaining(found)]);
  });

  test('an archive that somebody else has signed is none', async () => {
    writeFileSync(join(folder, 'other.pem'), signerOf('ab'.repeat(32)).publicKey);
    const args = ['verify', '--archive', archive().manifest, '--public-key', join(folder, 'other.pem')];
    expect(await process_(NO_SERVER, args)).toMatchObject({ code: 1, out: expect.stringContaining('archive-changed') });
  });
});

interface Row {
  readonly type: string;
  readonly recipient: string;
  readonly who: string;
  readonly record: string;
  readonly consent: string;
  readonly purpose: string;
  readonly at: string;
}
const accounted = async (whom: string): Promise<Row[]> => {
  const { code, out } = await run('disclosures', whom);
  expect(code).toBe(0);
  return JSON.parse(out) as Row[];
};

describe('reports', () => {
  test('disclosures of a patient: what, when, to whom, why, by which Consent; what we read ourselves is none', async () => {
    const rows = await accounted(patientId);
    expect(new Set(rows.map(({ type }) => type))).toEqual(new Set(DISCLOSED));
    const synced = rows.filter(({ type }) => type === 'FHIR_SYNC');
    expect(synced.map(({ record }) => record.split('/')[0]).sort()).toEqual(['Encounter', 'Observation', 'Patient']);
    for (const { recipient, consent: by, purpose, at } of synced) {
      expect(recipient).toBe(`${world.sandbox.replica.baseUrl}fhir/R4/`);
      expect(by).toMatch(new RegExp(`^Consent/${consentId}/_history/`));
      expect(purpose).toBe('TREAT');
      expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(DAY);
    }
    const [read, none] = rows.filter(({ type }) => type === 'FHIR_READ');
    expect(read?.recipient).toMatch(/^ClientApplication\//);
    expect(none).toBeUndefined();
    expect(await accounted(token)).toEqual(rows);
  });

  test('name the replica that received, also when the bundle has another by now', async () => {
    await setSettings(world, { REPLICA_BASE_URL: 'https://other.example/' });
    const rows = await accounted(patientId);
    await setSettings(world, { REPLICA_BASE_URL: world.sandbox.replica.baseUrl });
    const received = new Set(rows.filter(({ type }) => type === 'FHIR_SYNC').map(({ recipient }) => recipient));
    expect([...received]).toEqual([`${world.sandbox.replica.baseUrl}fhir/R4/`]);
  });

  test('are CSV without a formula, whatever an agent is called', async () => {
    await source().repo.createResource<AuditEvent>({
      resourceType: 'AuditEvent',
      type: { system: systems.auditType, code: 'FHIR_EXPORT' },
      recorded: world.sandbox.clock.iso(),
      outcome: '0',
      agent: [{ requestor: true, name: "=cmd|'/c calc'!A1" }],
      source: { observer: { reference: 'Bot/1' } },
      entity: [{ what: { identifier: { system: systems.resourceToken, value: '@SUM(1,2)' } } }],
    });
    const { code, out } = await run('report', 'exports', '--csv', '--since', '1d');
    expect(code).toBe(0);
    const [head, row] = out.split('\r\n');
    expect(head).toMatch(/^at,type,who,/);
    expect(row).toContain(`,'=cmd|'/c calc'!A1,`);
    expect(row).toContain(`,"'@SUM(1,2)",`);
  });

  test('a page is a file that only its owner reads', async () => {
    const file = join(folder, 'page.html');
    expect(await run('report', 'exports', '--page', file)).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toMatch(/^<!doctype html>/);
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  test.each([
    [['report', 'nonsense'], 'there is no report "nonsense"'],
    [['report', 'exports', '--since', 'soon'], '--since soon is no time'],
    [['disclosures', 'pt_aaaa'], 'nobody was ever known as pt_aaaa'],
    [['disclosures'], 'no patient is named'],
    [['unheard-of'], 'there is no command "unheard-of"'],
  ])('%j is refused', async (args, says) => {
    const { code, out, err } = await run(...args);
    expect([code > 0, out + err]).toEqual([true, expect.stringContaining(says)]);
  });
});

describe('retention', () => {
  test('by the built bot: the days go into archives, and are verified there', async () => {
    // What was planted for the reports has no keyed hash.
    const planted = (await ours()).find(({ type }) => type.code === 'FHIR_EXPORT');
    await source().repo.deleteResource('AuditEvent', planted?.id ?? '');
    const before = await ours();
    await setSettings(world, { AUDIT_RETENTION_DAYS: '1' });
    const { body } = await world.execute('retain-audit');
    const sealed = before.filter(({ meta }) =>
      manifests().includes(`${meta?.lastUpdated?.slice(0, 10)}.manifest.json`)
    );
    expect(sealed.length).toBeGreaterThan(5);
    expect(body).toEqual({ archived: 1, deleted: sealed.length, expired: 0, withheld: [], isComplete: true });
    expect((await ours()).length).toBe(before.length - sealed.length);
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('the accounting reaches into the archives; restore brings events back, once', async () => {
    const accounts = await accounted(patientId);
    expect(accounts.length).toBeGreaterThan(3);
    const args = ['restore', '--archive', archive().manifest, '--public-key', key];
    const spoiled = await spoilt(
      archive().ndjson,
      (text) => text.replace('"outcome":"0"', '"outcome":"4"'),
      () => run(...args)
    );
    expect(spoiled).toMatchObject({ code: 1, out: expect.stringContaining('archive-changed') });
    const count = readFileSync(archive().ndjson, 'utf8').split('\n').length;
    expect(await run(...args)).toMatchObject({ code: 0, out: expect.stringContaining(`${count} restored`) });
    expect(await run(...args)).toMatchObject({ code: 0, out: expect.stringContaining('0 restored') });
    expect(await accounted(patientId)).toEqual(accounts);
    expect(await run('verify')).toMatchObject({ code: 0 });
  });
});

describe('a trail that somebody touched', () => {
  test('verify says which event, and where in its day', async () => {
    await world.sandbox.clock.advance(2 * DAY);
    await world.execute('mirror-audit');
    const today = world.sandbox.clock.iso().slice(0, 10);
    const past = (await ours()).filter(({ meta }) => (meta?.lastUpdated ?? '') < today);
    const sameDay = past.filter(
      ({ meta }) => meta?.lastUpdated?.slice(0, 10) === past.at(-1)?.meta?.lastUpdated?.slice(0, 10)
    );
    const [, second, third] = sameDay as [WithId<AuditEvent>, WithId<AuditEvent>, WithId<AuditEvent>];
    await source().repo.updateResource<AuditEvent>({ ...second, outcome: '12' });
    await source().repo.deleteResource('AuditEvent', third.id);
    const { id: _id, meta: _meta, extension: _extension, ...content } = second;
    const planted = await source().repo.createResource<AuditEvent>(content);
    const { code, out } = await run('verify');
    expect(code).toBe(1);
    expect(out).toContain(`changed  AuditEvent/${second.id}, number 2 of the day`);
    expect(out).toContain(`removed  AuditEvent/${third.id}, number 3 of the day`);
    expect(out).toContain(`inserted  AuditEvent/${planted.id}`);
    expect(out).toMatch(/\n4 findings in /);
  });

  test('a seal that was made anew is not believed', async () => {
    const seals = (await all<Basic>(world.sandbox, 'Basic', 'source')).filter(({ code }) =>
      code.coding?.some(({ code: name }) => name === 'audit-seal')
    );
    const [seal] = seals as [WithId<Basic>];
    const forged = seal.extension?.map((each) =>
      each.url.endsWith('seal-text')
        ? { ...each, valueString: (each.valueString ?? '').replace(/"count":\d+/, '"count":1') }
        : each
    );
    await source().repo.updateResource<Basic>({ ...seal, extension: forged ?? [] });
    const { code, out } = await run('verify');
    expect([code, out]).toEqual([1, expect.stringContaining('seal-not-signed')]);
  });
});
