/** Under which keys copies are: random ones in profile `safe-harbor`, two versions at once during a rotation. Both servers, in the vm. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Basic, Consent, Observation, Patient, Resource } from '@medplum/fhirtypes';
import { afterEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { linkIn } from '../../src/flows/link.ts';
import type { SavedLink } from '../../src/flows/link.ts';
import { crosswalkKeys, patientKeys } from '../../src/rules/deid/keys.ts';
import { admit, all, consent, copies, createWorld, expected, held, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

const MINUTE = 60_000;
const ALL = { Patient: 1, Encounter: 1, Observation: 1 };
const NONE = { Patient: 0, Encounter: 0, Observation: 0 };
const OLD_KEY = 'd41f7c0b96ae83524f1b07ec5a98d362714cf0b8ea5d9236b7041e8cfa935d20';
const NEW_KEY = '5b0e93d7f12ca8467e39d0b4c81fa652390be7d8c4f16a25e08b7dc3941fa6e2';
const PAYLOAD_KEY = '6c1f0b7a94e2d358c05be8f1a7d4923065fe1cbb87a9d240e3c69f517b8ad204';

let world: World;
afterEach(async () => {
  await world.close();
});

const links = async (): Promise<SavedLink[]> =>
  (await all<Basic>(world.sandbox, 'Basic', 'source')).flatMap((one) => linkIn(systemsOf(), [one]) ?? []);
const tokens = async (type: Resource['resourceType']): Promise<string[]> =>
  (await all<Patient>(world.sandbox, type as 'Patient', 'replica')).map(
    ({ identifier }) => identifier?.[0]?.value ?? ''
  );

async function change(pulse: WithId<Observation>, value: number): Promise<void> {
  await world.sandbox.source.repo.updateResource<Observation>({
    ...pulse,
    valueQuantity: { ...pulse.valueQuantity, value },
  });
  await world.settle();
}

async function reconfigure(changes: Readonly<Record<string, string>>): Promise<void> {
  const { source } = world.sandbox;
  const project = await source.repo.readResource('Project', source.projectId);
  const before = (project as { secret?: { name: string; valueString: string }[] }).secret ?? [];
  await source.setSecrets({
    ...Object.fromEntries(before.map(({ name, valueString }) => [name, valueString])),
    ...changes,
  });
}

async function reveal(token: string): Promise<{ readonly status: number; readonly body: Resource }> {
  const client = await world.sandbox.source.createClient('operator', { admin: true });
  await reconfigure({ REVEAL_CLIENTS: `ClientApplication/${client.id}` });
  const bot = encodeURIComponent(`${systemsOf().bot}|reveal`);
  const answer = await fetch(`${world.sandbox.source.baseUrl}fhir/R4/Bot/$execute?identifier=${bot}`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ token, purpose: 'TREAT', reason: 'a test' }),
  });
  return { status: answer.status, body: (await answer.json()) as Resource };
}

describe('profile safe-harbor', () => {
  const inSafeHarbor = async (settings = {}): Promise<void> => {
    world = await createWorld({ profile: 'safe-harbor', settings });
  };

  test('copies hold years only, under tokens made of a random secret that only the link has', async () => {
    await inSafeHarbor();
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    expect(await copies(world)).toEqual(ALL);
    expect(await held(world)).toEqual(await expected(world));
    const [link] = await links();
    expect(link?.secret).toMatch(/^[0-9a-f]{64}$/);
    const keys = crosswalkKeys(link?.secret ?? '', patient.id);
    expect(await tokens('Patient')).toEqual([keys.patientToken]);
    expect(await tokens('Observation')).toEqual([keys.token('Observation', pulse.id)]);
    const wire = JSON.stringify(world.sent().map(({ url, body }) => [url, body]));
    expect(wire).not.toContain(link?.secret);
    expect(wire).not.toMatch(/\b(19|20)\d\d-\d\d/);
  });

  test('a change of a linked patient costs four requests', async () => {
    await inSafeHarbor();
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    world.sent();
    world.asked();
    await change(pulse, 99);
    expect([world.sent().length, world.asked().length]).toEqual([1, 3]);
    expect(await held(world)).toEqual(await expected(world));
  });

  test('a patient who never consented has no secret, and the trail no token', async () => {
    await inSafeHarbor();
    const { patient } = await admit(world);
    await world.settle();
    expect([await links(), world.sent()]).toEqual([[], []]);
    const trail = JSON.stringify(await world.trail());
    expect(trail).toContain(`Patient/${patient.id}`);
    expect(trail).not.toMatch(/\b(pt|enc|obs)_/);
  });

  test('runs that meet a patient without a link at once agree on one secret', async () => {
    await inSafeHarbor();
    const { patient, encounter } = await admit(world);
    await world.settle();
    // The Consent's own run is lost, and its time is over: what makes the link are events of records, all at once.
    const { repo, faults } = world.sandbox.source;
    faults.loseSubscriptionEvents();
    await consent(world, patient);
    await world.sandbox.clock.advance(2 * MINUTE);
    await Promise.all(
      [1, 2, 3, 4, 5].map((value) => repo.createResource<Observation>(observation(patient, encounter, value)))
    );
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 5 });
    expect(await links()).toHaveLength(1);
    const keys = crosswalkKeys((await links())[0]?.secret ?? '', patient.id);
    expect(await tokens('Patient')).toEqual([keys.patientToken]);
    expect(await tokens('Encounter')).toEqual([keys.token('Encounter', encounter.id)]);
  });

  test('who has left is forgotten at the second look; who comes back gets other tokens', async () => {
    await inSafeHarbor();
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    const [first] = await tokens('Patient');
    await world.sandbox.source.repo.updateResource<Consent>({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
    // A run that was under way may still write, and its copies have to be found.
    expect((await links())[0]?.secret).toBeDefined();
    await world.sandbox.clock.advance(11 * MINUTE);
    await world.retryJobs();
    expect((await links())[0]).toMatchObject({ tokens: [{ value: first, use: 'old' }] });
    expect((await links())[0]?.secret).toBeUndefined();
    await consent(world, patient);
    await world.settle();
    const [second] = await tokens('Patient');
    expect(second).not.toBe(first);
    expect(await held(world)).toEqual(await expected(world));
    expect(await links()).toHaveLength(1);
  });

  test('reveal finds the original by token', async () => {
    await inSafeHarbor({ PAYLOAD_KEY });
    const { patient } = await admit(world);
    await consent(world, patient);
    await world.settle();
    expect(await reveal((await tokens('Patient'))[0] ?? '')).toMatchObject({ status: 200, body: { id: patient.id } });
  });
});

test.each([
  ['pseudonymised', '1970'],
  ['safe-harbor', '1971'],
])(
  'in profile %s a patient who turns ninety loses the birth year with a sweep, without any event',
  async (profile, year) => {
    world = await createWorld({ profile });
    const birthDate = async (): Promise<string | undefined> =>
      (await all<Patient>(world.sandbox, 'Patient', 'replica'))[0]?.birthDate;
    const { patient } = await admit(world);
    // Born on 1971-03-04.
    const birthday = Date.UTC(2061, 2, 4);
    const { clock } = world.sandbox;
    await clock.advance(birthday - clock.now() - 30 * 24 * 60 * MINUTE);
    await consent(world, patient);
    await world.settle();
    await world.sweep();
    expect(await birthDate()).toBe(year);
    await clock.advance(33 * 24 * 60 * MINUTE);
    await world.sweep();
    expect(await birthDate()).toBeUndefined();
    expect(await held(world)).toEqual(await expected(world));
  }
);

describe('a new PSEUDONYM_KEY', () => {
  const rotate = async (): Promise<void> =>
    reconfigure({ PSEUDONYM_KEY: NEW_KEY, PSEUDONYM_KEY_VERSION: '2', PSEUDONYM_KEY_PREVIOUS: OLD_KEY });
  const under = async (version: 1 | 2, patient: WithId<Patient>): Promise<number> => {
    const secret = version === 1 ? OLD_KEY : NEW_KEY;
    const { patientToken } = patientKeys({ version, secret }, patient.id);
    return (await tokens('Patient')).filter((token) => token === patientToken).length;
  };
  const begin = async (settings = {}): Promise<Awaited<ReturnType<typeof admit>> & { given: WithId<Consent> }> => {
    world = await createWorld({ settings: { PSEUDONYM_KEY: OLD_KEY, ...settings } });
    const admitted = await admit(world);
    const given = await consent(world, admitted.patient);
    await world.settle();
    return { ...admitted, given };
  };
  /** What the reconciliation does for each patient: everything is looked at. */
  const lookAtAll = async (given: WithId<Consent>): Promise<void> => {
    await world.sandbox.source.repo.updateResource<Consent>({ ...given, dateTime: world.sandbox.clock.iso() });
    await world.settle();
  };

  test('an event brings its record under it, and takes that one’s former copy back', async () => {
    const { patient, encounter, pulse } = await begin();
    await world.sandbox.source.repo.createResource<Observation>(observation(patient, encounter, 50));
    await world.settle();
    await rotate();
    await change(pulse, 99);
    expect([await under(1, patient), await under(2, patient)]).toEqual([1, 1]);
    // The other Observation is readable under the former key, with its parents.
    expect(await copies(world)).toEqual({ Patient: 2, Encounter: 2, Observation: 2 });
    const old = patientKeys({ version: 1, secret: OLD_KEY }, patient.id);
    const current = patientKeys({ version: 2, secret: NEW_KEY }, patient.id);
    const observations = await tokens('Observation');
    expect(observations).toContain(current.token('Observation', pulse.id));
    expect(observations).not.toContain(old.token('Observation', pulse.id));
    expect((await links())[0]?.tokens).toEqual([
      { value: current.patientToken },
      { value: old.patientToken, use: 'secondary' },
    ]);
  });

  test('a look at everything brings all of the patient under it, and leaves nothing under the former one', async () => {
    const { patient, given } = await begin();
    await rotate();
    await lookAtAll(given);
    expect(await copies(world)).toEqual(ALL);
    expect(await held(world)).toEqual(await expected(world));
    expect([await under(1, patient), await under(2, patient)]).toEqual([0, 1]);
    expect((await links())[0]?.tokens.map(({ use }) => use)).toEqual([undefined, 'secondary']);
    // Then nobody can be writing under it any more.
    await world.sandbox.clock.advance(11 * MINUTE);
    await world.sweep();
    expect((await links())[0]?.tokens.map(({ use }) => use)).toEqual([undefined, 'old']);
  });

  test('after it a change costs four requests again', async () => {
    const { pulse, given } = await begin();
    await rotate();
    await lookAtAll(given);
    await world.sandbox.clock.advance(11 * MINUTE);
    await world.sweep();
    world.sent();
    world.asked();
    await change(pulse, 99);
    expect([world.sent().length, world.asked().length]).toEqual([1, 3]);
  });

  test('a revocation in the middle takes both', async () => {
    const { pulse, given } = await begin();
    await rotate();
    await change(pulse, 99);
    await world.sandbox.source.repo.updateResource<Consent>({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
    const events = await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source');
    const [told] = events.filter(({ type }) => type.code === 'FHIR_CONSENT').slice(-1);
    expect(told?.entity?.[0]?.detail).toContainEqual({ type: 'found', valueString: '0' });
  });

  test('a record that goes in the middle leaves nothing under either', async () => {
    const { pulse } = await begin();
    await rotate();
    await world.sandbox.source.repo.deleteResource('Observation', pulse.id);
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 0 });
  });

  test('who leaves in the middle leaves no copy whose record is gone as well', async () => {
    const { encounter, pulse, given } = await begin();
    await rotate();
    const { repo, faults } = world.sandbox.source;
    faults.loseSubscriptionEvents(() => true, 2);
    await repo.deleteResource('Observation', pulse.id);
    await repo.deleteResource('Encounter', encounter.id);
    await repo.updateResource<Consent>({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
  });

  test('tokens of both versions resolve, during and after', async () => {
    const { patient, given } = await begin({ PAYLOAD_KEY });
    const [old] = await tokens('Patient');
    await rotate();
    expect(await reveal(old ?? '')).toMatchObject({ status: 200, body: { id: patient.id } });
    await lookAtAll(given);
    await world.sandbox.clock.advance(11 * MINUTE);
    await world.sweep();
    const [current] = await tokens('Patient');
    expect(current).not.toBe(old);
    for (const token of [old, current]) {
      expect(await reveal(token ?? '')).toMatchObject({ status: 200, body: { id: patient.id } });
    }
  });

  test('what the replica refuses under it stays readable under the former one', async () => {
    const { patient, given } = await begin();
    await rotate();
    world.sandbox.replica.faults.failNext(
      { method: 'POST', where: ({ bytes }) => bytes.includes('"value":72') },
      { status: 422, times: 100 }
    );
    await lookAtAll(given);
    expect(await under(1, patient)).toBe(1);
    expect(await copies(world)).toEqual({ Patient: 2, Encounter: 2, Observation: 1 });
    world.sandbox.replica.faults.clear();
    await lookAtAll(given);
    expect(await held(world)).toEqual(await expected(world));
  });
});

test('a change of profile brings everything under the other keys', async () => {
  world = await createWorld({ profile: 'safe-harbor', settings: { PSEUDONYM_KEY: OLD_KEY } });
  const { patient } = await admit(world);
  // A patient as profile `pseudonymised` has left them.
  const { patientToken } = patientKeys({ version: 1, secret: OLD_KEY }, patient.id);
  const systems = systemsOf();
  await world.sandbox.source.repo.createResource<Basic>({
    resourceType: 'Basic',
    identifier: [
      { system: systems.link, value: patient.id },
      { system: systems.patientToken, value: patientToken },
    ],
    code: { coding: [{ system: systems.control, code: 'patient-link' }] },
    subject: { reference: `Patient/${patient.id}` },
  });
  await world.sandbox.replica.repo.createResource<Patient>({
    resourceType: 'Patient',
    identifier: [{ system: systems.patientToken, value: patientToken }],
  });
  await consent(world, patient);
  await world.settle();
  expect(await held(world)).toEqual(await expected(world));
  expect((await links())[0]?.tokens[1]).toEqual({ value: patientToken, use: 'secondary' });
});
