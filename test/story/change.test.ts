import type { Bundle, Encounter, Observation, Patient } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { admit, all, consent, copies, createWorld, expected, held, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.close();
});

const NONE = { Patient: 0, Encounter: 0, Observation: 0 };
const lastDetails = async (): Promise<string> => JSON.stringify((await world.trail()).at(-1)?.entity);

describe('without consent', () => {
  test('the replica gets no request at all, and the refusals are in the trail', async () => {
    await admit(world);
    await world.settle();
    expect(world.sent()).toEqual([]);
    expect(await world.trail()).toHaveLength(3);
    expect(await lastDetails()).toContain('"consent-no-consents"');
  });

  test('a Consent that is not active changes nothing', async () => {
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.updateResource({ ...given, status: 'rejected' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
  });
});

describe('with consent', () => {
  test('everything of the patient is copied, and nothing of anybody else', async () => {
    const { patient } = await admit(world, 'Doe');
    await admit(world, 'Roe');
    await consent(world, patient);
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    expect(await held(world)).toEqual(await expected(world));
  });

  test('a change costs four requests: gather, audit, apply, confirm', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    world.sent();
    world.asked();
    await world.sandbox.source.repo.updateResource<Observation>({
      ...pulse,
      valueQuantity: { ...pulse.valueQuantity, value: 99 },
    });
    await world.settle();
    expect(world.sent().map(({ method, interaction }) => `${method} ${interaction}`)).toEqual(['PUT update']);
    expect(world.asked().map(({ method, interaction }) => `${method} ${interaction}`)).toEqual([
      'POST batch',
      'POST create',
      'POST batch',
    ]);
    expect((await all<Observation>(world.sandbox, 'Observation', 'replica'))[0]?.valueQuantity?.value).toBe(99);
  });

  test('the trail names the Consent, its version and the provision', async () => {
    const { patient, pulse } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, status: 'amended' });
    await world.settle();
    expect(await lastDetails()).toContain(`Consent/${given.id}/_history/${given.meta?.versionId}`);
    expect(await lastDetails()).toContain('"provision"');
  });

  test('an Observation that comes before its parents brings them along in one transaction', async () => {
    const { patient, encounter } = await admit(world);
    await world.settle();
    // Nobody tells the bots of the Consent: only the new Observation does.
    world.sandbox.source.faults.loseSubscriptionEvents(({ type }) => type === 'Consent');
    await consent(world, patient);
    // Long enough ago that no run of the Consent can be under way.
    await world.sandbox.clock.advance(5 * 60_000);
    await world.sandbox.source.repo.createResource(observation(patient, encounter, 60));
    await world.settle();
    const [first, second] = world.sent();
    expect(first).toMatchObject({ method: 'PUT', status: 400 });
    const bundle = JSON.parse(second?.body ?? '{}') as Bundle;
    expect([bundle.type, ...(bundle.entry ?? []).map(({ resource }) => resource?.resourceType)]).toEqual([
      'transaction',
      'Patient',
      'Encounter',
      'Observation',
    ]);
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    // They have left as well: the trail says so, and by which Consent.
    const [record, parents] = (await world.trail()).slice(-2);
    expect(record?.outcomeDesc).toBe('put:1');
    expect(parents?.outcomeDesc).toBe('put:2');
    const told = parents?.entity?.flatMap(({ what }) => what?.identifier?.value ?? []);
    const tokens = bundle.entry?.slice(0, 2).map(({ resource }) => (resource as Patient).identifier?.[0]?.value);
    expect(told).toEqual(expect.arrayContaining(tokens ?? []));
  });

  test('a deleted record loses its copy', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.deleteResource('Observation', pulse.id);
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 0 });
    expect(await lastDetails()).toContain('"deleted"');
  });

  test('a deleted Patient takes everything along', async () => {
    const { patient } = await admit(world);
    await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.deleteResource('Patient', patient.id);
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
  });

  test('a record that is marked as not to be synced is not, and loses the copy it had', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    const marked = { ...pulse, meta: { tag: [{ system: systemsOf().sync, code: 'no-sync' }] } };
    await world.sandbox.source.repo.updateResource<Observation>(marked);
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 0 });
    await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, meta: { tag: [] } });
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
  });

  test('a record without a subject is left alone', async () => {
    await world.sandbox.source.repo.createResource<Encounter>({
      resourceType: 'Encounter',
      status: 'planned',
      class: { code: 'AMB' },
    });
    await world.settle();
    expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('"reason":"no-patient"');
    expect(world.sent()).toEqual([]);
  });

  test('a record that is moved to another patient leaves the first one', async () => {
    const { patient: doe, pulse } = await admit(world, 'Doe');
    const { patient: roe } = await admit(world, 'Roe');
    await consent(world, doe);
    await consent(world, roe);
    await world.settle();
    await world.sandbox.source.repo.updateResource<Observation>({
      ...pulse,
      subject: { reference: `Patient/${roe.id}` },
    });
    await world.settle();
    expect(await held(world)).toEqual(await expected(world));
    expect(await copies(world)).toEqual({ Patient: 2, Encounter: 2, Observation: 2 });
  });

  test('when an Encounter leaves or comes back, what refers to it follows', async () => {
    const { patient, encounter } = await admit(world);
    await consent(world, patient);
    await world.settle();
    const { repo } = world.sandbox.source;
    await repo.updateResource<Encounter>({
      ...encounter,
      meta: { tag: [{ system: systemsOf().sync, code: 'no-sync' }] },
    });
    await world.settle();
    expect((await all<Observation>(world.sandbox, 'Observation', 'replica'))[0]?.encounter?.reference).toBeUndefined();
    expect(await held(world)).toEqual(await expected(world));
    await repo.updateResource<Encounter>({ ...encounter, meta: { tag: [] } });
    await world.settle();
    expect((await all<Observation>(world.sandbox, 'Observation', 'replica'))[0]?.encounter?.reference).toMatch(
      /^Encounter\//
    );
    expect(await held(world)).toEqual(await expected(world));
    await repo.deleteResource('Encounter', encounter.id);
    await world.settle();
    expect(await held(world)).toEqual(await expected(world));
  });

  test('narrowing a consent erases what it no longer covers, and only that', async () => {
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    const classes = given.provision?.class?.filter(({ code }) => code !== 'VITAL_SIGNS') ?? [];
    await world.sandbox.source.repo.updateResource({ ...given, provision: { ...given.provision, class: classes } });
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 0 });
  });

  test('revoking a consent erases everything', async () => {
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
  });

  test('revoking erases copies whose source is gone as well', async () => {
    const { patient, pulse } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    world.sandbox.source.faults.loseSubscriptionEvents(({ interaction }) => interaction === 'delete');
    await world.sandbox.source.repo.deleteResource('Observation', pulse.id);
    await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
  });

  test('a Patient without ENCOUNTERS keeps Observations that refer to no Encounter', async () => {
    const { patient } = await admit(world);
    await consent(world, patient, ['DEMOGRAPHICS', 'VITAL_SIGNS']);
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 0, Observation: 1 });
    const copy = (await all<Observation>(world.sandbox, 'Observation', 'replica'))[0];
    expect(copy?.encounter?.reference).toBeUndefined();
    expect(await held(world)).toEqual(await expected(world));
  });

  test('without DEMOGRAPHICS the subject is a token, and no Patient is there', async () => {
    const { patient } = await admit(world);
    await consent(world, patient, ['ENCOUNTERS']);
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 0, Encounter: 1, Observation: 0 });
    expect((await all<Encounter>(world.sandbox, 'Encounter', 'replica'))[0]?.subject?.reference).toBeUndefined();
  });
});

describe('when a patient has just consented', () => {
  test('a new record is left to the run of the Consent, and one copy of each is made', async () => {
    const { patient, encounter } = await admit(world);
    await world.settle();
    world.sandbox.source.faults.loseSubscriptionEvents(({ type }) => type === 'Consent');
    await consent(world, patient);
    await world.sandbox.source.repo.createResource(observation(patient, encounter, 60));
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
    expect(await lastDetails()).toContain('"consent-run-first"');
    await world.sweep();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 2 });
  });
});

test('of a burst of versions only what is newest is written', async () => {
  const { patient, pulse } = await admit(world);
  await consent(world, patient);
  await world.settle();
  world.sent();
  for (let value = 1; value <= 20; value++) {
    await world.sandbox.source.repo.updateResource<Observation>({
      ...pulse,
      valueQuantity: { ...pulse.valueQuantity, value },
    });
  }
  await world.settle();
  expect(world.sent().length).toBeLessThan(15);
  expect(await held(world)).toEqual(await expected(world));
});

describe('when things change meanwhile', () => {
  test('a record that changes between reading and writing is copied again: the newest state wins', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    const { repo } = world.sandbox.source;
    let hasRaced = false;
    world.sandbox.replica.onRequest(({ method }) => {
      if (method === 'PUT' && !hasRaced) {
        hasRaced = true;
        world.sandbox.source.faults.loseSubscriptionEvents(({ type }) => type === 'Observation');
        void repo.updateResource<Observation>({ ...pulse, valueQuantity: { ...pulse.valueQuantity, value: 2 } });
      }
    });
    await repo.updateResource<Observation>({ ...pulse, valueQuantity: { ...pulse.valueQuantity, value: 1 } });
    await world.settle();
    expect((await all<Observation>(world.sandbox, 'Observation', 'replica'))[0]?.valueQuantity?.value).toBe(2);
    expect(await held(world)).toEqual(await expected(world));
  });

  test('a consent that ends between reading and writing takes the copy back, and both are in the trail', async () => {
    const { patient, pulse } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    const { repo } = world.sandbox.source;
    world.sandbox.source.faults.loseSubscriptionEvents(({ type }) => type === 'Consent');
    let hasRaced = false;
    world.sandbox.replica.onRequest(({ method }) => {
      if (method === 'PUT' && !hasRaced) {
        hasRaced = true;
        void repo.updateResource({ ...given, status: 'inactive' });
      }
    });
    await repo.updateResource<Observation>({ ...pulse, status: 'amended' });
    await world.settle();
    expect((await copies(world))['Observation']).toBe(0);
    const trail = await world.trail();
    expect(trail.slice(-3).map(({ outcomeDesc }) => outcomeDesc)).toEqual(['put:1', 'withdrawing:1', 'withdraw:1']);
  });

  test('a run that dies after its effect leaves the effect in the trail', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    const before = (await world.trail()).length;
    // Gather, audit, then the write: its answer never comes.
    world.sandbox.source.faults.killNext({ after: 2, isSent: true }, 'sync-change');
    world.sent();
    await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, status: 'amended' });
    await world.settle();
    expect(world.sent().map(({ method, status }) => `${method} ${status}`)).toEqual(['PUT 200']);
    expect((await world.trail()).slice(before).map(({ outcomeDesc }) => outcomeDesc)).toEqual(['put:1']);
  });

  test('twenty versions at once end with the last one', async () => {
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    for (let value = 1; value <= 20; value++) {
      await world.sandbox.source.repo.updateResource<Observation>({
        ...pulse,
        valueQuantity: { ...pulse.valueQuantity, value },
      });
    }
    await world.settle();
    expect(
      (await all<Observation>(world.sandbox, 'Observation', 'replica')).map(({ valueQuantity }) => valueQuantity?.value)
    ).toEqual([20]);
  });

  test('records and consent in one go leave one copy of each', async () => {
    const { patient, encounter } = await admit(world);
    await Promise.all([
      consent(world, patient),
      ...[1, 2, 3, 4, 5].map((value) =>
        world.sandbox.source.repo.createResource(observation(patient, encounter, value))
      ),
    ]);
    await world.settle();
    expect(await held(world)).toEqual(await expected(world));
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 6 });
  });
});

test('nothing of the patient is on the wire, in the trail or in the logs', async () => {
  const { patient } = await admit(world, 'Quixotepan');
  const given = await consent(world, patient);
  await world.settle();
  await world.sandbox.source.repo.updateResource<Patient>({ ...patient, birthDate: '1971-03-05' });
  await world.settle();
  await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
  await world.settle();
  const wire = world
    .sent()
    .map(({ url, body }) => url + body)
    .join('\n');
  const logs = world.sandbox.source.botRuns
    .map(({ output, returnValue }) => output + JSON.stringify(returnValue))
    .join('\n');
  const trail = JSON.stringify(await world.trail());
  expect(wire.length * logs.length * trail.length).toBeGreaterThan(0);
  for (const text of [wire, logs, trail]) {
    expect(
      ['Quixotepan', 'Janeway', 'MRN-', '1971-03', 'Heart rate', 'pulse of'].filter((part) => text.includes(part))
    ).toEqual([]);
  }
  expect([patient.id, given.id].filter((id) => wire.includes(id))).toEqual([]);
});
