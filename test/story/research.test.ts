/** The bot `research-export`: cohorts by role and consent, k-anonymous, through the built bundle. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Basic, Condition, Consent, Patient, Resource } from '@medplum/fhirtypes';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { consentOf } from '../../src/rules/consent/simple.ts';
import { askBot, CALLER, client, coded, practitioner, reasonOf, setSettings } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';
import { all, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const systems = systemsOf();
const SNOMED = 'http://snomed.info/sct';
const COHORT = `Condition?code=${SNOMED}|44054006`;
/** Fewer would make the test long, and no other. */
const K = 3;

let world: World;
const callers: Record<string, string> = {};
const consents = new Map<string, WithId<Consent>>();

interface Manifest {
  readonly transactionTime: string;
  readonly request: string;
  readonly requiresAccessToken: boolean;
  readonly output: readonly { readonly type: string; readonly url: string; readonly count: number }[];
  readonly error: readonly unknown[];
  readonly extension: {
    readonly id: string;
    readonly kAnonymity: Readonly<Record<string, unknown>>;
  };
}

const source = (): World['sandbox']['source'] => world.sandbox.source;
const ask = async (caller: string, input: object): Promise<Answer> =>
  askBot(world, 'research-export', callers[caller] ?? '', input);

/** Somebody with diabetes, who consents to treatment, and to research unless said otherwise. */
async function admit(
  name: string,
  gender: 'female' | 'male' | 'other',
  birthDate: string,
  purposes = ['TREAT', 'HRESCH']
): Promise<void> {
  const { repo } = source();
  const patient = await repo.createResource<Patient>({
    resourceType: 'Patient',
    name: [{ family: name, given: ['Keiko'] }],
    gender,
    birthDate,
    maritalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', code: 'M' }] },
  });
  await repo.createResource<Condition>({
    resourceType: 'Condition',
    clinicalStatus: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
    },
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'problem-list-item' }] },
    ],
    code: { coding: [{ system: SNOMED, code: '44054006' }], text: `diabetes of ${name}` },
    subject: { reference: `Patient/${patient.id}` },
    onsetDateTime: '2019-05-06',
  });
  for (const purpose of purposes) {
    const given = await repo.createResource<Consent>(
      consentOf({ patient: `Patient/${patient.id}`, purpose }, systems.dataClass)
    );
    consents.set(`${name} ${purpose}`, given);
  }
}

beforeAll(async () => {
  world = await createWorld({ settings: { RESEARCH_K: String(K) } });
  // Two groups that are large enough, one that is not, and some who do not consent to research.
  for (let index = 0; index < 4; index++) {
    await admit(`Elder${index}`, 'female', '1951-03-04');
    await admit(`Younger${index}`, 'male', '1981-03-04');
  }
  await admit('Single', 'other', '1991-03-04');
  await admit('Unwilling', 'female', '1951-03-04', ['TREAT']);
  await world.settle();
  callers['RESEARCHER'] = await practitioner(world, coded('RESEARCHER'));
  callers['another RESEARCHER'] = await practitioner(world, coded('RESEARCHER'));
  callers['ADMIN'] = await practitioner(world, coded('ADMIN'));
  callers['nobody'] = await practitioner(world, coded('NURSE'));
  const [patient] = await all<Patient>(world.sandbox, 'Patient', 'source');
  callers['PATIENT'] = await source().createUser({ reference: `Patient/${patient?.id}` }, { accessPolicy: CALLER });
  callers['program'] = (await client(world)).authorization;
});
afterAll(async () => {
  await world.close();
});
afterEach(async () => {
  world.sandbox.replica.faults.clear();
  for (const caller of ['RESEARCHER', 'another RESEARCHER', 'ADMIN']) {
    const { body } = await ask(caller, { action: 'list' });
    for (const { id, status } of (body.exports ?? []) as { id: string; status: string }[]) {
      if (status === 'in-progress' || status === 'done') {
        await ask(caller, { action: 'cancel', id });
      }
    }
  }
});

async function exported(input: object = {}, caller = 'RESEARCHER'): Promise<Manifest> {
  const { status, body } = await ask(caller, { action: 'start', cohort: COHORT, ...input });
  expect([status, reasonOf({ status, body }), body.status]).toEqual([200, undefined, undefined]);
  return body as unknown as Manifest;
}

async function download(
  url: string,
  caller = 'RESEARCHER'
): Promise<{ status: number; type: string | null; text: string }> {
  const answer = await fetch(url, { headers: { authorization: callers[caller] ?? '' } });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

async function linesOf(manifest: Manifest): Promise<Resource[]> {
  const texts = await Promise.all(manifest.output.map(({ url }) => download(url)));
  return texts.flatMap(({ text }) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Resource)
  );
}

const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type, subtype }) => type.code === 'FHIR_EXPORT' && subtype?.[0]?.code?.startsWith('research')
  );

describe('a cohort', () => {
  test('comes as NDJSON with a manifest, without the group that is too small and a next one', async () => {
    const manifest = await exported({ types: 'Patient,Condition' });
    expect(manifest).toMatchObject({
      requiresAccessToken: true,
      error: [],
      request: expect.stringContaining('Condition?code='),
    });
    expect(manifest.output.map(({ type, count }) => [type, count])).toEqual([
      ['Patient', 4],
      ['Condition', 4],
    ]);
    // One is alone, so four more are left out: otherwise who knows the cohort would know of that one.
    expect(manifest.extension.kAnonymity).toMatchObject({
      k: K,
      patients: 4,
      smallestGroup: 4,
      suppressed: 5,
      withoutConsent: `<${K}`,
    });
    const [first] = manifest.output;
    expect(await download(first?.url ?? '')).toMatchObject({
      status: 200,
      type: expect.stringContaining('application/fhir+ndjson'),
    });
    const lines = await linesOf(manifest);
    const patients = lines.filter((one): one is Patient => one.resourceType === 'Patient');
    expect(new Set(patients.map(({ gender, birthDate }) => `${gender} ${birthDate}`)).size).toBe(1);
    expect(Object.keys(patients[0] ?? {}).sort()).toEqual(['birthDate', 'gender', 'id', 'meta', 'resourceType']);
    const ids = new Set(patients.map(({ id }) => `Patient/${id}`));
    for (const one of lines) {
      expect(one.resourceType === 'Patient' || ids.has((one as Condition).subject.reference ?? '')).toBe(true);
    }
  });

  test('has names of its own: nothing in it is on the replica, or in another export', async () => {
    const first = await linesOf(await exported());
    const again = await linesOf(await exported());
    const copies = await Promise.all(
      (['Patient', 'Condition'] as const).map((type) => all<Resource>(world.sandbox, type, 'replica'))
    );
    const names = copies
      .flat()
      .flatMap((copy) => [
        `${copy.id}`,
        ...((copy as Patient).identifier ?? []).map(({ value }) => `${value}`),
        `${copy.meta?.lastUpdated}`,
      ]);
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) {
      expect(JSON.stringify([first, again])).not.toContain(name);
    }
    expect(first.map(({ id }) => id).filter((id) => again.some((one) => one.id === id))).toEqual([]);
    expect(JSON.stringify(first)).not.toMatch(/Keiko|Elder|Younger|diabetes of|1951-03|2019-05-06/);
  });

  test('of patients who do not consent to research is empty', async () => {
    const manifest = await exported({ cohort: 'Condition?code=http://snomed.info/sct|1' });
    expect(manifest.output).toEqual([]);
  });

  test('is asked about when it is made: who has revoked is not in it, nor whose group has become too small', async () => {
    const { repo } = source();
    const before = consents.get('Elder0 HRESCH');
    const other = consents.get('Elder1 HRESCH');
    const revoked = [before, other].map((one) => ({ ...one, status: 'inactive' as const }) as WithId<Consent>);
    for (const one of revoked) {
      await repo.updateResource<Consent>(one);
    }
    const { extension } = await exported();
    expect(extension.kAnonymity).toMatchObject({ patients: 4, smallestGroup: 4, suppressed: 3, withoutConsent: 3 });
    for (const one of revoked) {
      await repo.updateResource<Consent>({ ...one, status: 'active' });
    }
    await world.settle();
  });

  test('may want more than the settings, never less', async () => {
    expect((await exported({ k: 6 })).output).toEqual([]);
    expect(reasonOf(await ask('RESEARCHER', { action: 'start', cohort: COHORT, k: 2 }))).toBe('k-too-small');
  });

  test('that is too large is refused', async () => {
    await setSettings(world, { RESEARCH_MAX_PATIENTS: '5' });
    const { body } = await ask('RESEARCHER', { action: 'start', cohort: COHORT });
    expect(body).toMatchObject({ status: 'failed', reason: 'cohort-too-large' });
    await setSettings(world, { RESEARCH_MAX_PATIENTS: '' });
  });
});

describe('until it is complete nobody has anything of it', () => {
  test('a run that dies leaves a state from which the next one goes on', async () => {
    world.sandbox.replica.faults.failNext({ url: '/fhir/R4/Condition?patient' }, { status: 403, times: 100 });
    world.sandbox.replica.faults.failNext({ url: '/fhir/R4/Condition?subject' }, { status: 403, times: 100 });
    world.sandbox.replica.faults.failNext({ method: 'POST' }, { status: 403, times: 100 });
    const { status } = await ask('RESEARCHER', { action: 'start', cohort: COHORT });
    expect(status).not.toBe(200);
    const { body } = await ask('RESEARCHER', { action: 'list' });
    const [open] = body.exports as { id: string; status: string }[];
    expect(open?.status).toBe('in-progress');
    expect(reasonOf(await ask('RESEARCHER', { action: 'file', id: open?.id, file: 0 }))).toBe('not-complete');
    expect(reasonOf(await ask('RESEARCHER', { action: 'start', cohort: COHORT }))).toBe('one-at-a-time');
    world.sandbox.replica.faults.clear();
    const done = await ask('RESEARCHER', { action: 'status', id: open?.id });
    expect((done.body as unknown as Manifest).extension.kAnonymity).toMatchObject({ patients: 4 });
  });
});

describe('who changes their mind while it is made', () => {
  test('is not in it, and neither is the group that has become too small: it begins again', async () => {
    const { repo } = source();
    const leaving = ['Younger2 HRESCH', 'Younger3 HRESCH'].map((name) => consents.get(name));
    let isLeft = false;
    const stop = world.sandbox.replica.onRequest(({ url, body }) => {
      // The first look at records: by then everybody has been judged.
      if (!isLeft && `${url} ${body}`.includes('Condition?subject=Patient')) {
        isLeft = true;
        leaving.forEach((one) => void repo.updateResource({ ...one, status: 'inactive' } as WithId<Consent>));
      }
    });
    const manifest = await exported();
    stop();
    expect(isLeft).toBe(true);
    expect(manifest.extension.kAnonymity).toMatchObject({ patients: 4, smallestGroup: 4, suppressed: K });
    const patients = (await linesOf(manifest)).filter(({ resourceType }) => resourceType === 'Patient') as Patient[];
    expect(patients.map(({ gender }) => gender)).toEqual(['female', 'female', 'female', 'female']);
    for (const one of leaving) {
      await repo.updateResource({ ...one, status: 'active' } as WithId<Consent>);
    }
    await world.settle();
  });
});

describe('by role', () => {
  test.each(['PATIENT', 'nobody', 'program'])('%s gets nothing, and is told nothing', async (caller) => {
    const { extension } = await exported();
    for (const input of [
      { action: 'start', cohort: COHORT },
      { action: 'status', id: extension.id },
      { action: 'file', id: extension.id, file: 0 },
      { action: 'cancel', id: extension.id },
      { action: 'list' },
    ]) {
      const answer = await ask(caller, input);
      expect([input.action, answer.status, reasonOf(answer)]).toEqual([input.action, 400, 'no-role']);
    }
  });

  test('a RESEARCHER has only their own, an ADMIN sees all', async () => {
    const { extension } = await exported();
    const { id } = extension;
    expect(reasonOf(await ask('another RESEARCHER', { action: 'status', id }))).toBe('unknown-export');
    expect(reasonOf(await ask('another RESEARCHER', { action: 'file', id, file: 0 }))).toBe('unknown-export');
    expect((await ask('another RESEARCHER', { action: 'list' })).body.exports).toEqual([]);
    expect((await ask('ADMIN', { action: 'status', id })).status).toBe(200);
  });

  test('whose role has ended has no export any more', async () => {
    const leaving = await practitioner(world, coded('RESEARCHER'));
    callers['leaving'] = leaving;
    const roles = await all(world.sandbox, 'PractitionerRole', 'source');
    const role = roles.at(-1);
    const manifest = await exported({}, 'leaving');
    await source().repo.updateResource({ ...role, active: false } as never);
    expect((await download(manifest.output[0]?.url ?? '', 'leaving')).text).toContain('no-role');
  });
});

describe('the trail', () => {
  test('tells who got how much, for research, by which Consents; and who was refused', async () => {
    const before = (await trail()).length;
    const manifest = await exported({ types: 'Patient,Condition' });
    await download(manifest.output[0]?.url ?? '');
    await ask('nobody', { action: 'start', cohort: COHORT });
    const told = (await trail()).slice(before);
    expect(told.map(({ subtype, outcome }) => [subtype?.[0]?.code, outcome])).toEqual([
      ['research', '0'],
      ['research', '0'],
      ['research-file', '0'],
      ['research', '4'],
    ]);
    for (const event of told) {
      expect(event.purposeOfEvent?.[0]?.coding?.[0]?.code).toBe('HRESCH');
      expect(event.agent[0]?.who?.reference).toMatch(/^Practitioner\//);
    }
    const made = told.find(({ entity = [] }) => entity.some(({ what }) => what?.reference?.startsWith('Consent/')));
    expect(made?.entity?.filter(({ what }) => what?.reference?.startsWith('Consent/'))).toHaveLength(4);
    expect(JSON.stringify(made)).toContain('"valueString":"8"');
    expect(JSON.stringify(told)).not.toMatch(/Keiko|Elder|Younger/);
  });

  test('the exports list shows them', async () => {
    const program = await client(world);
    await setSettings(world, { ADMIN_CLIENTS: program.reference });
    const { extension } = await exported();
    const { body } = await askBot(world, 'admin', program.authorization, { action: 'exports/list' });
    expect(body.exports).toContainEqual(expect.objectContaining({ correlationId: extension.id }));
  });
});

test.each([
  [{}, 'action'],
  [{ action: 'start' }, 'cohort'],
  [{ action: 'start', cohort: 'Patient?name=Keiko' }, 'cohort parameters'],
  [{ action: 'start', cohort: 'Patient?_id=1' }, 'cohort parameters'],
  [{ action: 'start', cohort: 'Observation?encounter=1' }, 'cohort parameters'],
  [{ action: 'start', cohort: 'Condition?subject:Patient.name=x' }, 'cohort parameters'],
  [{ action: 'start', cohort: 'AuditEvent' }, 'cohort must be'],
  [{ action: 'start', cohort: COHORT, types: 'Claim' }, 'types'],
  [{ action: 'start', cohort: COHORT, k: 1 }, 'k must'],
  [{ action: 'status', id: 'x' }, 'id must'],
  [{ action: 'file', id: '00000000-0000-4000-8000-000000000000', file: -1 }, 'file must'],
  [{ action: 'list', more: 1 }, 'known parameters'],
])('%j is refused', async (input, problem) => {
  const answer = await ask('RESEARCHER', input);
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body)).toContain(problem);
  expect(JSON.stringify(answer.body)).not.toContain('Keiko');
});

test('npm run research starts, follows and fetches', { timeout: 60_000 }, async () => {
  const { id, secret, reference } = await source().createClient('operator', { admin: true });
  await setSettings(world, { ADMIN_CLIENTS: reference });
  const out = mkdtempSync(join(tmpdir(), 'research-'));
  const env = {
    PATH: process.env['PATH'],
    MEDPLUM_BASE_URL: source().baseUrl,
    MEDPLUM_CLIENT_ID: id,
    MEDPLUM_CLIENT_SECRET: secret,
  };
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, ['scripts/research.ts', ...args], { env, cwd: ROOT })).stdout;
  const manifest = JSON.parse(await run('start', '--cohort', COHORT, '--types', 'Condition', '--out', out)) as Manifest;
  expect(readdirSync(out).sort()).toEqual(['Condition-0.ndjson', 'manifest.json']);
  expect(readFileSync(join(out, 'Condition-0.ndjson'), 'utf8').trim().split('\n')).toHaveLength(4);
  expect(await run('list')).toContain(manifest.extension.id);
  expect(await run('cancel', manifest.extension.id)).toContain('cancelled');
  await expect(run('follow', manifest.extension.id)).rejects.toThrow('cancelled');
  await expect(run('start')).rejects.toThrow('not clear');
});

// The last one: it takes days, and the people above are signed in for an hour.
test('what lies in the source is sealed, and gone with its key when it is over', async () => {
  const admin = await client(world);
  await setSettings(world, { ADMIN_CLIENTS: admin.reference });
  callers['program'] = admin.authorization;
  world.asked();
  const manifest = await exported({}, 'program');
  const stored = world.asked().filter(({ method, url }) => method === 'POST' && url.includes('/Binary'));
  expect(stored.length).toBeGreaterThan(3);
  expect(stored.map(({ body }) => body).join()).not.toMatch(/44054006|resourceType/);
  const [state] = (await all<Basic>(world.sandbox, 'Basic', 'source')).filter(({ identifier }) =>
    identifier?.[0]?.value?.endsWith(manifest.extension.id)
  );
  expect(JSON.stringify(state)).not.toMatch(/pt_/);
  await world.sandbox.clock.advance(73 * 3_600_000);
  const url = manifest.output[0]?.url ?? '';
  expect((await download(url, 'program')).text).toContain('expired');
  const bot = world.installed.bots.get('research-export');
  await source().repo.updateResource({ ...bot, cronString: '*/5 * * * *' } as never);
  await world.sandbox.clock.advance(5 * 60_000);
  await world.settle();
  const { body } = await ask('program', { action: 'list' });
  expect(
    (body.exports as { id: string; status: string }[]).find(({ id }) => id === manifest.extension.id)?.status
  ).toBe('expired');
  const [after] = (await all<Basic>(world.sandbox, 'Basic', 'source')).filter(({ identifier }) =>
    identifier?.[0]?.value?.endsWith(manifest.extension.id)
  );
  expect(JSON.stringify(after)).toContain('\\"secret\\":\\"\\"');
  expect(JSON.stringify(after)).toContain('\\"parts\\":[]');
});
