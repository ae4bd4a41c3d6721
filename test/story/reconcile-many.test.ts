/** Many differences among many records, runs that are killed wherever they are, and what the admin is told. */
import type { Observation, Patient, Project } from '@medplum/fhirtypes';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleStream } from '../../scripts/samples/patients.ts';
import { askBot, client, setSettings } from '../support/callers.ts';
import { admit, all, consent, createWorld, expected, held } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
  world.sandbox.source.faults.loseSubscriptionEvents(() => true, 100_000);
});
afterEach(async () => {
  await world.close();
});

type Counts = Readonly<Record<string, number>>;
type Result = Readonly<Record<string, unknown>> & { readonly isComplete: boolean; readonly observations: Counts };

/** Patients with all types of records and a Consent each, of which no event tells. */
async function load(resources: number): Promise<void> {
  const { repo } = world.sandbox.source;
  for (const bundle of sampleStream({ seed: 7, resources })) {
    const ids = new Map<string, string>();
    for (const { fullUrl, resource } of bundle.entry ?? []) {
      const text = JSON.stringify(resource, (key, value: unknown) =>
        key === 'reference' ? (ids.get(String(value)) ?? value) : value
      );
      const { id: _id, ...rest } = JSON.parse(text) as Patient;
      const made = await repo.createResource<Patient>(rest);
      ids.set(fullUrl ?? '', `${made.resourceType}/${made.id}`);
      if (made.resourceType === 'Patient') {
        await consent(world, made);
      }
    }
  }
}

async function run(input: object = {}): Promise<Result> {
  const { status, body } = await world.execute('reconcile', input);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body as Result;
}

const sums = (result: Result): Counts => {
  const total: Record<string, number> = {};
  for (const counts of Object.values(result)) {
    for (const [name, count] of Object.entries(
      typeof counts === 'object' && !Array.isArray(counts) ? (counts as Counts) : {}
    )) {
      total[name] = (total[name] ?? 0) + count;
    }
  }
  return total;
};

test(
  '200 differences of all kinds are found, exactly those, and repaired; then there is nothing',
  { timeout: 120_000 },
  async () => {
    await load(1500);
    await world.sandbox.clock.advance(3_600_000);
    await run();
    await world.sandbox.clock.advance(3_600_000);
    expect(await held(world)).toEqual(await expected(world));
    expect(sums(await run())).toMatchObject({ enqueued: 0, errors: 0 });

    const { source, replica } = world.sandbox;
    const copies = await all<Observation>(world.sandbox, 'Observation', 'replica');
    const records = (await all<Observation>(world.sandbox, 'Observation', 'source')).slice(-70);
    const retag = (copy: Observation, change: (digest: string) => string): Observation => ({
      ...copy,
      meta: {
        security: copy.meta?.security ?? [],
        tag: copy.meta?.tag?.map((tag) => ({ ...tag, code: change(tag.code ?? '') })) ?? [],
      },
    });
    let at = 0;
    const next = (): Observation & { id: string } => {
      return copies[at++] as Observation & { id: string };
    };
    for (let i = 0; i < 25; i++) {
      await replica.repo.deleteResource('Observation', next().id);
      await replica.repo.updateResource<Observation>(retag(next(), (digest) => digest.replace(/^[^.]+/, 'p0p0')));
      await replica.repo.updateResource<Observation>(retag(next(), (digest) => digest.replace('.k1.', '.k0.')));
      await replica.repo.updateResource<Observation>({ ...next(), status: 'entered-in-error' });
      const { meta, ...bare } = next();
      await replica.repo.updateResource<Observation>({ ...bare, meta: { tag: meta?.tag ?? [] } });
      const { id: _id, ...twin } = next();
      await replica.repo.createResource<Observation>(twin);
    }
    // The records of the last patients, whose copies were not touched above.
    const [changed, gone] = [records.slice(0, 25), records.slice(25, 50)];
    for (const one of changed) {
      await source.repo.updateResource<Observation>({ ...one, status: 'corrected' });
    }
    for (const one of gone) {
      await source.repo.deleteResource('Observation', one.id);
    }
    const found = sums(await run({ deep: true }));
    expect(found).toMatchObject({
      notSynced: 25,
      oldPolicy: 25,
      oldKey: 25,
      tampered: 25,
      mislabelled: 25,
      duplicate: 25,
      stale: 25,
      orphaned: 25,
      enqueued: 200,
      errors: 0,
    });
    expect(await held(world)).toEqual(await expected(world));
    expect(sums(await run({ deep: true }))).toMatchObject({ enqueued: 0, errors: 0 });
  }
);

test(
  'a run that is killed between any two requests is taken up by a later one, until all is done',
  { timeout: 120_000 },
  async () => {
    await load(120);
    const { source, replica, clock } = world.sandbox;
    let requests = 0;
    let killAt = Infinity;
    const isDead = (): boolean => ++requests > killAt;
    const forBots = (request: { readonly url: string }): boolean => !request.url.includes('$execute') && isDead();
    for (const server of [source, replica]) {
      server.faults.failNext(
        { url: '/fhir/', where: (request) => forBots(request) },
        { status: 403, times: 1_000_000 }
      );
    }
    let kills = 0;
    let isDone = false;
    for (let round = 1; !isDone && round < 60; round++) {
      requests = 0;
      killAt = 4 + ((round * 7919) % 23) + round * 2;
      const { status, body } = await world.execute('reconcile', {});
      kills += status === 200 ? 0 : 1;
      isDone = status === 200 && (body as Result).isComplete;
      // A killed run releases nothing: its lease has to end.
      await clock.advance(320_000);
    }
    killAt = Infinity;
    expect({ isDone, hasKilled: kills > 5 }).toEqual({ isDone: true, hasKilled: true });
    source.faults.clear();
    replica.faults.clear();
    expect(await held(world)).toEqual(await expected(world));
    expect(sums(await run())).toMatchObject({ enqueued: 0, errors: 0 });
  }
);

test('the admin runs it, and is told of its results in the seeds’ shapes', async () => {
  const operator = await client(world);
  await setSettings(world, { ADMIN_CLIENTS: operator.reference });
  const ask = async (input: object): Promise<Record<string, unknown>> => {
    const { status, body } = await askBot(world, 'admin', operator.authorization, input);
    expect({ status, body }).toMatchObject({ status: 200 });
    return body;
  };
  const { patient } = await admit(world);
  await consent(world, patient);
  expect(await ask({ action: 'reconciliation/stats' })).toMatchObject({ success: true, stats: {} });
  expect(await ask({ action: 'reconciliation/run', dryRun: true })).toMatchObject({
    observations: { notSynced: 1, enqueued: 0 },
  });
  expect(await ask({ action: 'bulk-sync/encounters', limit: 5 })).toMatchObject({
    success: true,
    encounters: { enqueued: 1 },
  });
  expect(await ask({ action: 'reconciliation/cron', staleDays: 1, batchSize: 1000 })).toMatchObject({
    isComplete: true,
    observations: { total: 1 },
  });
  // What looked at less than everything says nothing about the whole.
  await ask({ action: 'reconciliation/run', patient: patient.id, types: ['patients'] });
  expect(await ask({ action: 'reconciliation/stats' })).toMatchObject({
    stats: { encounters: { total: 1, synced: 1, notSynced: 0, stale: 0 }, observations: { total: 1, synced: 1 } },
  });
  expect(await ask({ action: 'reconciliation/history', limit: 1 })).toMatchObject({
    count: 1,
    history: [{ isComplete: true, dryRun: false }],
  });
  expect(await held(world)).toEqual(await expected(world));
});

test('after a change of the key it moves every patient to the new one, and the former copies go', async () => {
  const made = [await admit(world), await admit(world, 'Roe')];
  for (const { patient } of made) {
    await consent(world, patient);
  }
  await run();
  const before = (await all<Patient>(world.sandbox, 'Patient', 'replica')).map(
    ({ identifier }) => identifier?.[0]?.value
  );
  const { source } = world.sandbox;
  const project = await source.repo.readResource<Project>('Project', source.projectId);
  const old = project.secret?.find(({ name }) => name === 'PSEUDONYM_KEY')?.valueString ?? '';
  await setSettings(world, {
    PSEUDONYM_KEY: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    PSEUDONYM_KEY_PREVIOUS: old,
    PSEUDONYM_KEY_VERSION: '2',
  });
  expect(await run()).toMatchObject({
    isComplete: true,
    patients: { oldKey: 2 },
    observations: { oldKey: 2, notSynced: 0 },
  });
  expect(await held(world)).toEqual(await expected(world));
  const after = (await all<Patient>(world.sandbox, 'Patient', 'replica')).map(
    ({ identifier }) => identifier?.[0]?.value
  );
  expect([after.length, after.filter((token) => before.includes(token))]).toEqual([2, []]);
  expect(sums(await run())).toMatchObject({ enqueued: 0, errors: 0, oldKey: 0 });
});
