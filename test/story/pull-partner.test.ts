/** Pulling from a partner, by the built bundle, from a server that behaves as real ones do. */
import type { AuditEvent, Basic, Encounter, Observation, Patient, Provenance } from '@medplum/fhirtypes';
import { afterEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { askBot, client, coded, practitioner, setSettings } from '../support/callers.ts';
import { chart, createPartnership, pulse } from '../support/partner.ts';
import type { Partnership } from '../support/partner.ts';
import { all, createWorld } from '../support/world.ts';

let ours: Partnership | undefined;
afterEach(async () => {
  await ours?.close();
  ours = undefined;
});

async function begin(...settings: Parameters<typeof createPartnership>): Promise<Partnership> {
  ours = await createPartnership(...settings);
  return ours;
}

test('an export is asked for, waited for, fetched, taken with its references, written down and given back', async () => {
  const { partner, world, organization, pullAll, taken } = await begin();
  partner.records.push(...chart(3));
  Object.assign(partner.behaviour, { polls: 3, retrySeconds: 7 });
  const answer = await pullAll();
  expect(answer).toMatchObject({
    phase: 'done',
    problems: [],
    files: { total: 3, done: 3 },
    counts: {
      Patient: { lines: 3, created: 3 },
      Encounter: { lines: 3, created: 3 },
      Observation: { lines: 9, created: 9 },
    },
  });
  const [patients, encounters, observations] = [
    await taken<Patient>('Patient'),
    await taken<Encounter>('Encounter'),
    await taken<Observation>('Observation'),
  ];
  expect([patients.length, encounters.length, observations.length]).toEqual([3, 3, 9]);
  for (const { subject, encounter } of observations) {
    const visit = encounters.find(({ id }) => encounter?.reference === `Encounter/${id}`);
    expect(visit?.subject).toMatchObject({ reference: subject?.reference });
    expect(patients.map(({ id }) => `Patient/${id}`)).toContain(subject?.reference);
  }
  expect(patients[0]?.managingOrganization).toMatchObject({ reference: `Organization/${organization.id}` });
  const provenances = await all<Provenance>(world.sandbox, 'Provenance', 'source');
  expect(provenances).toHaveLength(15);
  expect(provenances[0]?.agent.map(({ who }) => who?.identifier?.value ?? who?.reference)).toEqual([
    `Organization/${organization.id}`,
    'pull-partner',
    'pull-partner',
  ]);
  expect(partner.violations).toEqual([]);
  const [kickOff, ...others] = partner.asked;
  expect(kickOff).toMatch(
    /^GET Patient\/\$export\?_outputFormat=application%2Ffhir%2Bndjson&_type=Patient%2CEncounter/
  );
  expect(others.filter((line) => line.startsWith('GET bulk-status'))).toHaveLength(4);
  expect(others.at(-1)).toMatch(/^DELETE bulk-status/);
  const events = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type }) => type.code === 'FHIR_INGRESS'
  );
  expect(events.at(-1)).toMatchObject({ outcome: '0', subtype: [{}, { code: 'pull' }] });
  expect(JSON.stringify(events)).not.toMatch(/Grünwald|urn:partner/);
});

test('what lies in the source while it is under way names no address of the partner', async () => {
  const { partner, world, pull } = await begin();
  partner.records.push(...chart(1));
  partner.behaviour.polls = 1;
  partner.behaviour.retrySeconds = 3600;
  expect(await pull()).toMatchObject({ phase: 'wait', isComplete: false, nextAt: expect.any(String) as string });
  const { host } = new URL(partner.baseUrl);
  const controls = JSON.stringify(await all<Basic>(world.sandbox, 'Basic', 'source'));
  expect(controls).toContain('partner-pull');
  expect(controls).not.toContain(host);
});

describe('the next pull', () => {
  test('asks for what has changed since, takes changes, and marks what was deleted', async () => {
    const { partner, world, pull, pullAll, taken } = await begin();
    const { clock } = world.sandbox;
    partner.records.push(...chart(2));
    await pullAll();
    await clock.advance(20 * 86_400_000);
    const at = new Date(clock.now() - 1000).toISOString();
    const gone = partner.records.findIndex(({ id }) => id === 'o1-2');
    partner.records.splice(gone, 1, pulse(0, 0, 99, at, '2'));
    partner.deleted.push({ reference: 'Observation/o1-2', at }, { reference: 'Patient/p1', at });
    const answer = await pullAll();
    expect(partner.asked.find((line) => line.includes('_since='))).toBeDefined();
    expect(answer.counts).toEqual({ Observation: { lines: 1, updated: 1 } });
    expect(answer.deleted).toEqual({ marked: 1, kept: 1 });
    expect(answer.problems).toEqual(['1 patients are deleted there, and kept here']);
    const stored = await taken<Observation>('Observation');
    expect(stored).toHaveLength(6);
    expect(stored.filter(({ status }) => status === 'entered-in-error')).toHaveLength(1);
    expect(stored.map(({ valueQuantity }) => valueQuantity?.value)).toContain(99);
    // Brought back, it is taken again.
    const later = new Date(clock.now() + 1000).toISOString();
    partner.records.push(pulse(1, 2, 62, later, '1'));
    partner.deleted.length = 0;
    await clock.advance(60_000);
    await pull();
    expect((await taken<Observation>('Observation')).map(({ status }) => status)).not.toContain('entered-in-error');
  });

  test('begins by itself after two weeks, and not before', async () => {
    const { partner, world, pullAll } = await begin();
    const bot = world.installed.bots.get('pull-partner')!;
    partner.records.push(...chart(1));
    await pullAll();
    const { repo } = world.sandbox.source;
    await repo.updateResource({ ...bot, cronString: '0 0 * * *' });
    const exports = (): number => partner.asked.filter((line) => line.includes('$export')).length;
    await world.sandbox.clock.advance(13 * 86_400_000);
    expect(exports()).toBe(1);
    await world.sandbox.clock.advance(2 * 86_400_000);
    expect(exports()).toBe(2);
  });
});

describe('a partner that is as real ones are', () => {
  test.each([
    ['HTTP dates', { polls: 2, retryAfter: 'date', retrySeconds: 120 }],
    ['no Retry-After', { polls: 2, retryAfter: 'none' }],
    ['no Range', { hasRange: false }],
    ['files behind the token', { needsToken: true }],
    ['redirects', { redirects: true }],
    ['throttling and a server error first', { statuses: [429, 503] }],
    ['many small files', { linesPerFile: 2 }],
    ['no counts', { hasCounts: false }],
  ])('%s', async (_name, behaviour) => {
    const { partner, pullAll, taken } = await begin();
    partner.records.push(...chart(4));
    Object.assign(partner.behaviour, behaviour);
    expect(await pullAll()).toMatchObject({ phase: 'done', problems: [], total: { lines: 20, created: 20 } });
    expect(await taken<Observation>('Observation')).toHaveLength(12);
    expect(partner.violations).toEqual([]);
  });

  test.each([
    ['are renewed', false],
    ['are gone with their export, which is begun anew', true],
  ])('links that expire %s', async (_name, isForgetful) => {
    const { partner, pullAll, taken } = await begin();
    partner.records.push(...chart(3));
    Object.assign(partner.behaviour, { linksFor: 2, linesPerFile: isForgetful ? 5 : 2, isForgetful });
    const pulled = pullAll();
    if (isForgetful) {
      // The second export is good for as long as it takes.
      const wait = setInterval(() => {
        if (partner.asked.filter((line) => line.includes('$export')).length > 1) {
          partner.behaviour.linksFor = 100;
        }
      }, 1);
      await pulled.finally(() => clearInterval(wait));
    }
    expect(await pulled).toMatchObject({ phase: 'done', restarts: isForgetful ? 1 : 0 });
    expect(await taken<Observation>('Observation')).toHaveLength(9);
  });

  test('an error file, a line that is none, and one that is too long are told, and stop nothing', async () => {
    const { partner, pullAll } = await begin();
    const [patient, ...others] = chart(1);
    const long = { ...pulse(0, 7, 70), note: [{ text: 'x'.repeat(600_000) }] };
    partner.records.push(patient!, ...others, long, { ...pulse(0, 8, 70), status: 'nonsense' } as never);
    partner.errors.push({
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'warning', code: 'timeout', diagnostics: 'Zorkmid' }],
    });
    const answer = await pullAll();
    expect(answer.counts['Observation']).toEqual({
      lines: 5,
      created: 3,
      refused: 2,
      'refused-too-long': 1,
      'refused-code-invalid': 1,
    });
    expect(answer.errors).toEqual({ 'warning timeout': 1 });
    expect(answer.refused.map(({ line, code }) => `${line} ${code}`)).toEqual(['4 too-long', '5 code-invalid']);
    expect(JSON.stringify(answer)).not.toContain('Zorkmid');
  });

  test('a patient who was here before is recognised, and what comes about them is theirs', async () => {
    const { partner, world, organization, pullAll, taken } = await begin();
    const own = await world.sandbox.source.repo.createResource<Patient>({
      resourceType: 'Patient',
      identifier: [{ system: 'urn:partner:mrn', value: 'X0' }],
      name: [{ family: 'Here' }],
      managingOrganization: { reference: `Organization/${organization.id}` },
    });
    partner.records.push(...chart(1));
    expect(await pullAll()).toMatchObject({ counts: { Patient: { known: 1 } }, problems: [] });
    expect(await taken('Patient')).toEqual([]);
    const subjects = (await taken<Observation>('Observation')).map(({ subject }) => subject?.reference);
    expect(new Set(subjects)).toEqual(new Set([`Patient/${own.id}`]));
  });
});

describe('what stands in the way', () => {
  test('a partner that refuses fails the pull; the next day it is tried again', async () => {
    const { partner, world, pull, pullAll } = await begin();
    partner.behaviour.statuses.push(422);
    expect(await pull()).toMatchObject({ phase: 'failed', fault: 'partner-rejected', detail: 'status 422' });
    await world.sandbox.clock.advance(86_400_000);
    partner.records.push(...chart(1));
    expect(await pullAll()).toMatchObject({ phase: 'done' });
  });

  test('a partner that does not let us begin fails it as well', async () => {
    const { partner, pull } = await begin();
    partner.behaviour.statuses.push(403);
    expect(await pull()).toMatchObject({ phase: 'failed', fault: 'partner-unauthorised', detail: 'status 403' });
  });

  test('files on a host that is not listed are not fetched', async () => {
    const { partner, world, pullAll } = await begin();
    partner.records.push(...chart(1));
    await setSettings(world, { PARTNER_FILE_HOSTS: '' });
    expect(await pullAll()).toMatchObject({
      phase: 'failed',
      detail: 'a file on a host that is not in PARTNER_FILE_HOSTS',
    });
    expect(partner.asked.filter((line) => line.startsWith('FILE'))).toEqual([]);
  });

  test('an Organization that is not there takes nothing', async () => {
    const { partner, world, pull } = await begin();
    await setSettings(world, { PARTNER_ORGANIZATION: 'Organization/00000000-0000-4000-8000-000000000000' });
    await expect(pull()).rejects.toThrow('settings-invalid');
    expect(partner.asked).toEqual([]);
  });

  test('cancelling tells the partner', async () => {
    const { partner, pull } = await begin();
    partner.behaviour.polls = 100;
    partner.behaviour.retrySeconds = 600;
    await pull();
    expect(await pull({ action: 'partner/cancel' })).toMatchObject({ phase: 'cancelled', isComplete: true });
    expect(partner.asked.at(-1)).toMatch(/^DELETE bulk-status/);
  });
});

test('only an ADMIN may ask', async () => {
  const { world, partner } = await begin();
  const anybody = await client(world);
  const researcher = await practitioner(world, coded('RESEARCHER'));
  const admin = await practitioner(world, coded('ADMIN'));
  for (const who of [anybody.authorization, researcher]) {
    for (const action of ['partner/pull', 'partner/status', 'partner/cancel']) {
      expect((await askBot(world, 'pull-partner', who, { action })).status).toBe(400);
    }
  }
  expect(partner.asked).toEqual([]);
  expect((await askBot(world, 'pull-partner', admin, { action: 'partner/status' })).body).toMatchObject({
    phase: 'none',
  });
  expect((await askBot(world, 'admin', admin, { action: 'partner/status' })).body).toMatchObject({ phase: 'none' });
});

test('without a partner there is no such bot', async () => {
  const world = await createWorld();
  expect([...world.installed.bots.keys()]).not.toContain('pull-partner');
  await world.close();
});

test('nothing of a pull is left but its report', async () => {
  const { partner, world, pullAll } = await begin();
  partner.records.push(...chart(1));
  await pullAll();
  const binaries = world.asked().filter(({ url }) => /\/Binary(\/|$)/.test(url));
  expect(binaries.map(({ method }) => method)).toEqual(['POST', 'GET', 'DELETE']);
  const texts = (await all<Basic>(world.sandbox, 'Basic', 'source')).map((basic) => JSON.stringify(basic));
  const report = texts.find((text) => text.includes(`${systemsOf().namespace}/partner-pull`));
  expect(report).not.toMatch(/"status":"|"manifest"/);
});
