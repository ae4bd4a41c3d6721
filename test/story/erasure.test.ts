import type { WithId } from '@medplum/core';
import type { AuditEvent, Consent, Observation, Patient, Task } from '@medplum/fhirtypes';
import { afterEach, describe, expect, test } from 'vitest';
import { consentToShare } from '../../scripts/story/consent.ts';
import { admit, all, consent, copies, createWorld, expected, held } from '../support/world.ts';
import type { World } from '../support/world.ts';

const NONE = { Patient: 0, Encounter: 0, Observation: 0 };
const MINUTE = 60_000;
let world: World;
afterEach(async () => {
  await world.close();
});

/** A world whose bots may expunge. */
async function withEraser(isAdmin = true): Promise<World> {
  const made = await createWorld();
  const eraser = await made.sandbox.replica.createClient('eraser', { admin: isAdmin });
  const { source } = made.sandbox;
  const project = await source.repo.readResource('Project', source.projectId);
  const secrets = Object.fromEntries(
    ((project as { secret?: { name: string; valueString: string }[] }).secret ?? []).map(({ name, valueString }) => [
      name,
      valueString,
    ])
  );
  await source.setSecrets({ ...secrets, ERASER_CLIENT_ID: eraser.id, ERASER_CLIENT_SECRET: eraser.secret });
  return made;
}

/** What the FHIR_CONSENT events say of their runs, oldest first. */
const consentEvents = async (): Promise<Record<string, string>[]> => {
  const events = await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source');
  return events
    .filter(({ type }) => type.code === 'FHIR_CONSENT')
    .map(({ entity }) =>
      Object.fromEntries((entity?.[0]?.detail ?? []).map(({ type, valueString }) => [type, valueString ?? '']))
    );
};

describe('when a consent is revoked', () => {
  test('without eraser credentials the copies are deleted, and the trail says that history remains', async () => {
    world = await createWorld();
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
    expect((await consentEvents()).at(-1)).toMatchObject({
      consent: `Consent/${given.id}`,
      withdrawn: '3',
      put: '0',
      history: 'remains',
      found: '0',
    });
  });

  test('with them search, read and history find nothing, and nobody else is touched', async () => {
    world = await withEraser();
    const { patient } = await admit(world, 'Doe');
    const { patient: other } = await admit(world, 'Roe');
    const given = await consent(world, patient);
    await consent(world, other);
    await world.settle();
    const mine = (await all<Patient>(world.sandbox, 'Patient', 'replica')).map(({ id }) => id);
    await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    expect(await held(world)).toEqual(await expected(world));
    const left = new Set((await all<Patient>(world.sandbox, 'Patient', 'replica')).map(({ id }) => id));
    for (const id of mine.filter((one) => !left.has(one))) {
      await expect(world.sandbox.replica.repo.readHistory('Patient', id)).rejects.toThrow(/not found/i);
    }
    expect((await consentEvents()).at(-1)).toMatchObject({ withdrawn: '3', history: 'expunged', found: '0' });
  });

  test('credentials that may not expunge erase nothing silently: the run says so, and a job remains', async () => {
    world = await withEraser(false);
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('replica-unauthorised');
    expect(await all<Task>(world.sandbox, 'Task', 'source')).toMatchObject([
      { status: 'requested', priority: 'urgent', statusReason: { coding: [{ code: 'replica-unauthorised' }] } },
    ]);
    expect((await copies(world))['Patient']).toBe(1);
  });

  test('a single record that may no longer be shared is expunged as well', async () => {
    world = await withEraser();
    const { patient, pulse } = await admit(world);
    await consent(world, patient);
    await world.settle();
    const [copy] = await all(world.sandbox, 'Observation', 'replica');
    await world.sandbox.source.repo.deleteResource('Observation', pulse.id);
    await world.settle();
    await expect(world.sandbox.replica.repo.readHistory('Observation', copy?.id ?? '')).rejects.toThrow(/not found/i);
  });

  test.each(['an event', 'a look at everything'])(
    'a copy made twice, found by %s, leaves no history that nobody finds by its token any more',
    async (finder) => {
      world = await withEraser();
      const { patient, pulse } = await admit(world);
      const given = await consent(world, patient);
      await world.settle();
      const { source, replica } = world.sandbox;
      const [copy] = await all<Observation>(world.sandbox, 'Observation', 'replica');
      const { id: _id, ...content } = copy as Observation;
      await replica.repo.createResource<Observation>(content);
      await (finder === 'an event'
        ? source.repo.updateResource<Observation>({ ...pulse, status: 'amended' })
        : source.repo.updateResource<Consent>({ ...given, dateTime: world.sandbox.clock.iso() }));
      await world.settle();
      expect(await held(world)).toEqual(await expected(world));
      expect(replica.store.table('Observation').rows.size).toBe(1);
    }
  );
});

describe('what changes by itself', () => {
  const until = (patient: string, start: string | undefined, end: string | undefined): Consent => {
    const given = consentToShare(patient);
    return { ...given, provision: { ...given.provision, period: { ...(start && { start }), ...(end && { end }) } } };
  };

  test('a consent that ends takes the copies along within a minute, without any event', async () => {
    world = await createWorld();
    const { patient } = await admit(world);
    const end = new Date(world.sandbox.clock.now() + 30 * MINUTE).toISOString();
    await world.sandbox.source.repo.createResource(until(`Patient/${patient.id}`, undefined, end));
    await world.settle();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    await world.sandbox.clock.advance(29 * MINUTE);
    await world.retryJobs();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    await world.sandbox.clock.advance(2 * MINUTE);
    await world.retryJobs();
    expect(await copies(world)).toEqual(NONE);
  });

  test('a consent that begins brings them', async () => {
    world = await createWorld();
    const { patient } = await admit(world);
    const start = new Date(world.sandbox.clock.now() + 60 * MINUTE).toISOString();
    await world.sandbox.source.repo.createResource(until(`Patient/${patient.id}`, start, undefined));
    await world.settle();
    expect(await copies(world)).toEqual(NONE);
    await world.sandbox.clock.advance(61 * MINUTE);
    await world.retryJobs();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
  });

  test('after an erasure there is a second look, and then no more', async () => {
    world = await createWorld();
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    await world.settle();
    await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    const timers = async (): Promise<string[]> =>
      (await all<Task>(world.sandbox, 'Task', 'source')).map(({ status }) => status);
    expect(await timers()).toEqual(['requested']);
    await world.sandbox.clock.advance(11 * MINUTE);
    await world.retryJobs();
    expect(await timers()).toEqual(['completed']);
  });

  test('a look that comes sooner for another reason does not stand for the second one', async () => {
    world = await createWorld();
    const { repo } = world.sandbox.source;
    const { clock, replica } = world.sandbox;
    const { patient } = await admit(world);
    const given = await consent(world, patient);
    const soon = until(`Patient/${patient.id}`, new Date(clock.now() + 2 * MINUTE).toISOString(), undefined);
    await repo.createResource<Consent>({ ...soon, provision: { ...soon.provision, type: 'deny' } });
    await world.settle();
    const [copy] = await all<Patient>(world.sandbox, 'Patient', 'replica');
    await repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    await clock.advance(3 * MINUTE);
    await world.retryJobs();
    // A run that was under way when the copies were erased writes now.
    const { id: _id, meta: _meta, ...content } = copy as WithId<Patient>;
    await replica.repo.createResource<Patient>(content);
    await clock.advance(8 * MINUTE);
    await world.retryJobs();
    expect(await copies(world)).toEqual(NONE);
  });
});

test('a Consent that says something ambiguous is warned of, by code', async () => {
  world = await createWorld();
  const { patient } = await admit(world);
  const given = consentToShare(`Patient/${patient.id}`);
  await world.sandbox.source.repo.createResource<Consent>({
    ...given,
    provision: { purpose: given.provision?.purpose ?? [] },
  });
  await world.settle();
  expect(world.sandbox.source.botRuns.at(-1)?.output).toContain('"event":"consent-ambiguous"');
});

test('a patient who was merged into another leaves the replica', async () => {
  world = await createWorld();
  const { patient } = await admit(world, 'Doe');
  const { patient: survivor } = await admit(world, 'Roe');
  await consent(world, patient);
  await world.settle();
  await world.sandbox.source.repo.updateResource<Patient>({
    ...patient,
    active: false,
    link: [{ type: 'replaced-by', other: { reference: `Patient/${survivor.id}` } }],
  });
  await world.settle();
  expect(await copies(world)).toEqual(NONE);
});
