import type { WithId } from '@medplum/core';
import type { AuditEvent, Bundle, Observation, Patient, Resource } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { patientKeys } from '../../src/rules/deid/keys.ts';
import { admit, all, consent, copies, createWorld, expected, held, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.close();
});

const KEY = { version: 1, secret: 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00' };
const loseEverything = (): void => world.sandbox.source.faults.loseSubscriptionEvents(() => true, 10_000);

type Result = Readonly<Record<string, unknown>> & {
  readonly isComplete: boolean;
  readonly observations: Readonly<Record<string, number>>;
  readonly walked: number;
};

async function run(input: object = {}): Promise<Result> {
  const { status, body } = await world.execute('reconcile', input);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body as Result;
}

async function history(): Promise<AuditEvent[]> {
  const found = await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source');
  return found.filter(({ type }) => type.code === 'FHIR_RECONCILIATION');
}

const KINDS = [
  'notSynced',
  'stale',
  'oldPolicy',
  'oldKey',
  'tampered',
  'mislabelled',
  'duplicate',
  'orphaned',
  'errors',
];
const QUIET = Object.fromEntries(KINDS.map((kind) => [kind, 0]));

async function isInLine(): Promise<void> {
  expect(await held(world)).toEqual(await expected(world));
}

/** Three patients, all in line; then no event comes through any more. */
async function inLine(): Promise<WithId<Patient>[]> {
  const patients: WithId<Patient>[] = [];
  for (const name of ['Doe', 'Roe', 'Poe']) {
    const { patient } = await admit(world, name);
    await consent(world, patient);
    patients.push(patient);
  }
  await world.settle();
  await isInLine();
  loseEverything();
  return patients;
}

test('when nothing differs, it reads both sides, writes its checkpoint and its result, and nothing else', async () => {
  await inLine();
  const trail = (await world.trail()).length;
  world.sent();
  world.asked();
  expect(await run()).toMatchObject({
    isComplete: true,
    walked: 3,
    encounters: { total: 3, ...QUIET },
    observations: { total: 3, enqueued: 0, withheld: 0, ...QUIET },
  });
  const sent = world.sent().map(({ interaction }) => interaction);
  expect(sent.filter((one) => one !== 'batch' && !one.startsWith('search'))).toEqual([]);
  // Patients by token, each other type, and the counts of all types.
  expect(sent).toHaveLength(REPLICATED_TYPES.length + 1);
  // Two looks for the run, its making, its lease, two pages of Patients, Consents with links, each other type, the result, the checkpoint.
  expect(world.asked()).toHaveLength(8 + REPLICATED_TYPES.length);
  expect((await world.trail()).length).toBe(trail);
  expect((await history()).map(({ subtype }) => subtype?.[0]?.code)).toEqual(['run-complete']);
});

describe('it finds and repairs', () => {
  const cases: readonly [string, (patients: WithId<Patient>[]) => Promise<unknown>, object][] = [
    [
      'a record that was never copied',
      ([patient]) => world.sandbox.source.repo.createResource(observation(patient as WithId<Patient>, undefined, 61)),
      { notSynced: 1 },
    ],
    [
      'a copy that is stale',
      async () => {
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'source');
        await world.sandbox.source.repo.updateResource<Observation>({ ...(one as Observation), status: 'corrected' });
      },
      { stale: 1 },
    ],
    [
      'a copy whose record is gone',
      async () => {
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'source');
        await world.sandbox.source.repo.deleteResource('Observation', one?.id ?? '');
      },
      { orphaned: 1 },
    ],
    [
      'a copy that was deleted',
      async () => {
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
        await world.sandbox.replica.repo.deleteResource('Observation', one?.id ?? '');
      },
      { notSynced: 1 },
    ],
    [
      'a second copy',
      async () => {
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
        const { id: _id, ...twin } = one as Observation;
        await world.sandbox.replica.repo.createResource<Observation>(twin);
      },
      { duplicate: 1 },
    ],
    [
      'a copy without its label',
      async () => {
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
        const { meta, ...rest } = one as Observation;
        await world.sandbox.replica.repo.updateResource<Observation>({ ...rest, meta: { tag: meta?.tag ?? [] } });
      },
      { mislabelled: 1 },
    ],
    ['a copy of an old policy', () => withDigest((digest) => digest.replace(/^[^.]+/, 'p0p0')), { oldPolicy: 1 }],
    ['a copy under an old key', () => withDigest((digest) => digest.replace('.k1.', '.k0.')), { oldKey: 1 }],
    [
      'a copy that was put under another patient',
      async () => {
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
        const others = await all<Patient>(world.sandbox, 'Patient', 'replica');
        const other = others.find(({ id }) => `Patient/${id}` !== one?.subject?.reference);
        await world.sandbox.replica.repo.updateResource<Observation>({
          ...(one as Observation),
          subject: { reference: `Patient/${other?.id}` },
        });
      },
      { stale: 1 },
    ],
    [
      'a copy that is nobody’s',
      async () => {
        const { resourceToken } = systemsOf();
        const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
        const { id: _id, subject: _subject, encounter: _encounter, ...rest } = one as Observation;
        await world.sandbox.replica.repo.createResource<Observation>({
          ...rest,
          identifier: [{ system: resourceToken, value: 'obs_stranger' }],
        });
      },
      { orphaned: 1 },
    ],
  ];
  test.each(cases)('%s', async (_name, plant, counts) => {
    const patients = await inLine();
    await plant(patients);
    expect(await run()).toMatchObject({ isComplete: true, observations: { ...QUIET, ...counts } });
    await isInLine();
    expect(await run()).toMatchObject({ isComplete: true, observations: QUIET });
  });

  test('a patient who has no Consent any more, one who is deleted, and one whom the source never had', async () => {
    const [, second] = await inLine();
    const { repo } = world.sandbox.source;
    const consents = await all(world.sandbox, 'Consent', 'source');
    await repo.deleteResource('Consent', consents[0]?.id ?? '');
    await repo.deleteResource('Patient', second?.id ?? '');
    const { patientToken } = systemsOf();
    await world.sandbox.replica.repo.createResource<Patient>({
      resourceType: 'Patient',
      identifier: [{ system: patientToken, value: 'pt_stranger' }],
    });
    const { subject, ...rest } = observation({ id: 'x', resourceType: 'Patient' }, undefined, 1);
    void subject;
    const [stranger] = (await all<Patient>(world.sandbox, 'Patient', 'replica')).filter(
      ({ identifier }) => identifier?.[0]?.value === 'pt_stranger'
    );
    await world.sandbox.replica.repo.createResource<Observation>({
      ...rest,
      subject: { reference: `Patient/${stranger?.id}` },
      identifier: [{ system: systemsOf().resourceToken, value: 'obs_child' }],
    });
    await run();
    await isInLine();
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    const removed = (await history()).filter(({ action }) => action === 'D');
    expect(JSON.stringify(removed)).toContain('pt_stranger');
    expect(JSON.stringify(removed)).toContain('obs_child');
  });

  test('a patient who has turned ninety meanwhile', async () => {
    const { clock, source } = world.sandbox;
    const [patient] = await inLine();
    source.faults.clear();
    const birth = new Date(clock.now() + 10 * 86_400_000);
    birth.setUTCFullYear(birth.getUTCFullYear() - 90);
    const birthDate = birth.toISOString().slice(0, 10);
    await source.repo.updateResource<Patient>({ ...(patient as WithId<Patient>), birthDate });
    await world.settle();
    loseEverything();
    expect(await run()).toMatchObject({ patients: { total: 3, enqueued: 0, ...QUIET } });
    await clock.advance(13 * 86_400_000);
    expect(await run()).toMatchObject({ patients: { total: 3, ...QUIET, stale: 1, enqueued: 1 } });
    await isInLine();
  });

  test('content that is not what its digest says, when it looks that deep', async () => {
    await inLine();
    const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
    const [patient] = await all<Patient>(world.sandbox, 'Patient', 'replica');
    await world.sandbox.replica.repo.updateResource<Observation>({
      ...(one as Observation),
      status: 'entered-in-error',
    });
    await world.sandbox.replica.repo.updateResource<Patient>({ ...(patient as Patient), gender: 'other' });
    expect(await run()).toMatchObject({ observations: QUIET });
    expect(await run({ deep: true })).toMatchObject({ tampered: 2, observations: { ...QUIET, tampered: 1 } });
    await isInLine();
    expect(await run({ deep: true })).toMatchObject({ tampered: 0, observations: QUIET });
  });

  async function withDigest(change: (digest: string) => string): Promise<void> {
    const [one] = await all<Observation>(world.sandbox, 'Observation', 'replica');
    const tag = one?.meta?.tag?.map((each) => ({ ...each, code: change(each.code ?? '') })) ?? [];
    await world.sandbox.replica.repo.updateResource<Observation>({
      ...(one as Observation),
      meta: { security: one?.meta?.security ?? [], tag },
    });
  }
});

test('a dry run goes on from where it says it is, and stays one whatever the state says', async () => {
  const [patient] = await inLine();
  await world.sandbox.source.repo.createResource<Observation>(observation(patient as WithId<Patient>, undefined, 61));
  const before = await held(world);
  const { state, isComplete } = (await run({ dryRun: true, seconds: 0 })) as Result & {
    readonly state: { readonly scope: object };
  };
  expect(isComplete).toBe(false);
  const forged = { ...state, scope: { ...state.scope, isDryRun: false } };
  expect(await run({ dryRun: true, state: forged })).toMatchObject({
    isComplete: true,
    observations: { notSynced: 1 },
  });
  expect(await held(world)).toEqual(before);
});

test('a dry run writes nothing on either side, not even its result, and names what it would do', async () => {
  const [patient] = await inLine();
  const made = await world.sandbox.source.repo.createResource<Observation>(
    observation(patient as WithId<Patient>, undefined, 61)
  );
  const [gone] = await all<Observation>(world.sandbox, 'Observation', 'source');
  await world.sandbox.source.repo.deleteResource('Observation', gone?.id ?? '');
  const count = async (): Promise<number[]> =>
    Promise.all(
      (['Basic', 'AuditEvent', 'Task', 'Observation'] as const).map(
        async (type) => (await all<Resource>(world.sandbox, type, 'source')).filter((one) => !isPlatforms(one)).length
      )
    );
  const before = [await count(), await held(world)];
  const answer = (await run({ dryRun: true })) as Result & { listed: { token: string; kind: string }[] };
  expect([await count(), await held(world)]).toEqual(before);
  expect(answer).toMatchObject({
    dryRun: true,
    isComplete: true,
    observations: { notSynced: 1, orphaned: 1, enqueued: 0 },
  });
  const keys = patientKeys(await projectKey(), patient?.id ?? '');
  expect(answer.listed.map(({ kind }) => kind).sort()).toEqual(['notSynced', 'orphaned']);
  expect(answer.listed.find(({ kind }) => kind === 'notSynced')?.token).toBe(keys.token('Observation', made.id));
});

/** Medplum's own AuditEvents of reads and of the run itself. */
function isPlatforms(one: Resource): boolean {
  return one.resourceType === 'AuditEvent' && !one.type.system?.startsWith(systemsOf().namespace);
}

async function projectKey(): Promise<{ version: number; secret: string }> {
  const { source } = world.sandbox;
  const project = await source.repo.readResource('Project', source.projectId);
  const { secret = [] } = project as { secret?: { name: string; valueString?: string }[] };
  return { ...KEY, secret: secret.find(({ name }) => name === 'PSEUDONYM_KEY')?.valueString ?? '' };
}

describe('scopes', () => {
  test('one organization’s run touches nobody else, by managingOrganization or by account', async () => {
    const [first, second, third] = await inLine();
    const { repo } = world.sandbox.source;
    const organization = await repo.createResource({ resourceType: 'Organization', name: 'One' });
    const reference = `Organization/${organization.id}`;
    await repo.updateResource<Patient>({ ...(first as Patient), managingOrganization: { reference } });
    await repo.updateResource<Patient>({ ...(second as Patient), meta: { accounts: [{ reference }] } });
    for (const patient of [first, second, third]) {
      await repo.createResource(observation(patient as WithId<Patient>, undefined, 61));
    }
    world.sent();
    expect(await run({ organization: reference })).toMatchObject({
      walked: 2,
      organization: reference,
      observations: { total: 4, notSynced: 2, enqueued: 2 },
    });
    const token = patientKeys(await projectKey(), third?.id ?? '').patientToken;
    expect(world.sent().filter((entry) => JSON.stringify(entry).includes(token))).toEqual([]);
    expect(await copies(world)).toMatchObject({ Observation: 5 });
    expect(await run()).toMatchObject({ observations: { notSynced: 1 } });
    await isInLine();
  });

  test('one patient; one type, with the parents that it needs; only what has no copy; up to a limit', async () => {
    loseEverything();
    const made = [];
    for (const name of ['Doe', 'Roe', 'Poe']) {
      const one = await admit(world, name);
      await consent(world, one.patient);
      made.push(one);
    }
    expect(await run({ patient: `Patient/${made[0]?.patient.id}` })).toMatchObject({
      walked: 1,
      observations: { enqueued: 1 },
    });
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    await world.sandbox.source.repo.updateResource<Observation>({
      ...(made[0]?.pulse as Observation),
      status: 'corrected',
    });
    expect(await run({ types: ['observations'], onlyNotSynced: true, limit: 1 })).toMatchObject({
      observations: { notSynced: 1, stale: 0, enqueued: 1 },
    });
    expect(await copies(world)).toEqual({ Patient: 2, Encounter: 2, Observation: 2 });
    await run();
    await isInLine();
  });

  test('a copy that is stale since yesterday counts, one since today is left to the events', async () => {
    const [patient] = await inLine();
    await world.sandbox.source.repo.updateResource<Patient>({ ...(patient as Patient), gender: 'other' });
    expect(await run({ staleDays: 1 })).toMatchObject({ patients: { total: 3, stale: 0, enqueued: 0 } });
    expect(await run()).toMatchObject({ patients: { total: 3, stale: 1, enqueued: 1 } });
    await isInLine();
  });

  test.each([
    [{ types: ['Nonsense'] }, 'types must be'],
    [{ batchSize: 0.5 }, 'batchSize must be'],
    [{ patient: 'a b' }, 'patient must be'],
    [{ dryRun: 'yes' }, 'dryRun must be'],
  ])('%j is refused', async (input, problem) => {
    expect(await world.execute('reconcile', input)).toMatchObject({
      status: 400,
      body: { issue: [{ code: 'invalid' }, { details: { text: expect.stringContaining(problem) as string } }] },
    });
  });
});

test('a patient with more records than a page is read to the end on both sides', async () => {
  const [patient] = await inLine();
  const { repo } = world.sandbox.source;
  for (let i = 0; i < 1100; i++) {
    await repo.createResource(observation(patient as WithId<Patient>, undefined, i));
    if (i % 500 === 499) {
      await world.sandbox.clock.advance(10);
    }
  }
  expect(await run()).toMatchObject({ observations: { total: 1103, notSynced: 1100, enqueued: 1100, errors: 0 } });
  expect(await copies(world)).toMatchObject({ Observation: 1103 });
  expect(await run()).toMatchObject({ observations: { total: 1103, enqueued: 0, ...QUIET } });
});

test('a page of a thousand patients is asked about in queries that the server takes', async () => {
  const { repo } = world.sandbox.source;
  loseEverything();
  for (let i = 0; i < 1000; i++) {
    const patient = await repo.createResource<Patient>({ resourceType: 'Patient', birthDate: '1970-01-01' });
    if (i % 2 === 0) {
      await consent(world, patient);
    }
  }
  // All Patients of one page are known on the replica, so that their copies are looked for by token.
  expect(await run({ types: ['Patient', 'Encounter'] })).toMatchObject({
    walked: 1000,
    patients: { total: 1000, notSynced: 500, withheld: 500, enqueued: 500, errors: 0 },
  });
  world.sent();
  world.asked();
  expect(await run({ types: ['Patient', 'Encounter'], deep: true })).toMatchObject({
    walked: 1000,
    patients: { total: 1000, withheld: 500, enqueued: 0, ...QUIET },
  });
  const queries = [...world.sent(), ...world.asked()].flatMap(({ body }) =>
    ((JSON.parse(body || '{}') as Bundle).entry ?? []).map(({ request }) => request?.url.split('?')[1]?.length ?? 0)
  );
  expect(Math.max(...queries)).toBeLessThan(70_000 - 1000 * 37);
});
