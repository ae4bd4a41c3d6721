/** References to practitioners, organizations and places, with stubs and without. Both servers, in the vm. */
import type { WithId } from '@medplum/core';
import type {
  Encounter,
  Location,
  Observation,
  Organization,
  Patient,
  Practitioner,
  Resource,
} from '@medplum/fhirtypes';
import { afterEach, expect, test } from 'vitest';
import { admit, all, consent, copies, createWorld, expected, held, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

const ALL = ['Practitioner', 'Organization', 'Location'] as const;
const TAXONOMY = 'http://nucc.org/provider-taxonomy';

let world: World;
afterEach(async () => {
  await world.close();
});

interface Staff {
  readonly doctor: WithId<Practitioner>;
  readonly clinic: WithId<Organization>;
  readonly ward: WithId<Location>;
}

async function staff(): Promise<Staff> {
  const { repo } = world.sandbox.source;
  return {
    doctor: await repo.createResource<Practitioner>({
      resourceType: 'Practitioner',
      identifier: [{ system: 'http://hl7.org/fhir/sid/us-npi', value: '1962845077' }],
      name: [{ family: 'Featherstonehaugh', given: ['Bartholomew'] }],
      telecom: [{ system: 'phone', value: '555-010-4477' }],
      address: [{ line: ['9 Quince Lane'], city: 'Everett', state: 'MA', postalCode: '02149' }],
      qualification: [{ code: { coding: [{ system: TAXONOMY, code: '207R00000X' }], text: 'Internal medicine' } }],
    }),
    clinic: await repo.createResource<Organization>({ resourceType: 'Organization', name: 'Larkspur Clinic' }),
    ward: await repo.createResource<Location>({
      resourceType: 'Location',
      name: 'Room 7, Larkspur',
      physicalType: {
        coding: [
          { system: 'http://terminology.hl7.org/CodeSystem/location-physical-type', code: 'area', display: 'Area' },
        ],
      },
    }),
  };
}

const performedBy = (
  patient: WithId<Patient>,
  encounter: WithId<Encounter>,
  { doctor }: Pick<Staff, 'doctor'>,
  value: number
): Observation => ({
  ...observation(patient, encounter, value),
  performer: [{ reference: `Practitioner/${doctor.id}`, display: 'Dr. Featherstonehaugh' }],
});

/** A visit with a doctor, at a clinic, in a ward. */
async function visit(
  people: Staff
): Promise<{ patient: WithId<Patient>; encounter: WithId<Encounter>; seen: WithId<Observation> }> {
  const { repo } = world.sandbox.source;
  const { patient, encounter: bare } = await admit(world);
  const encounter = await repo.updateResource<Encounter>({
    ...bare,
    serviceProvider: { reference: `Organization/${people.clinic.id}`, display: 'Larkspur Clinic' },
    location: [{ location: { reference: `Location/${people.ward.id}` } }],
    participant: [{ individual: { reference: `Practitioner/${people.doctor.id}` } }],
  });
  const seen = await repo.createResource<Observation>(performedBy(patient, encounter, people, 81));
  await world.settle();
  return { patient, encounter, seen };
}

async function stubs(): Promise<WithId<Resource>[]> {
  return (await Promise.all(ALL.map((type) => all<Resource>(world.sandbox, type, 'replica')))).flat();
}

/** Every stub that was sent is in the trail, by its token. */
async function expectTold(): Promise<void> {
  const trail = JSON.stringify(await world.trail());
  for (const stub of (await stubs()) as (Resource & { identifier?: { value?: string }[] })[]) {
    expect(trail).toContain(stub.identifier?.[0]?.value ?? 'a stub without a token');
  }
}

const replicaText = async (): Promise<string> =>
  JSON.stringify([
    await stubs(),
    ...(await Promise.all([
      all<Encounter>(world.sandbox, 'Encounter', 'replica'),
      all<Observation>(world.sandbox, 'Observation', 'replica'),
    ])),
  ]);

test('a Consent brings stubs along: type, specialty and state, and nothing by which anybody is known', async () => {
  world = await createWorld({ stubs: ALL });
  const people = await staff();
  const { patient } = await visit(people);
  expect([await stubs(), world.sent()]).toEqual([[], []]);
  await consent(world, patient);
  await world.settle();
  expect(await held(world)).toEqual(await expected(world));
  const [doctor, clinic, ward] = (await stubs()) as [WithId<Practitioner>, WithId<Organization>, WithId<Location>];
  expect(doctor.qualification).toEqual([{ code: { coding: [{ system: TAXONOMY, code: '207R00000X' }] } }]);
  expect(doctor.address).toEqual([{ state: 'MA' }]);
  expect(clinic.identifier?.[0]?.value).toMatch(/^org_/);
  expect(ward.physicalType?.coding?.[0]?.code).toBe('area');
  const [encounter] = await all<Encounter>(world.sandbox, 'Encounter', 'replica');
  expect(encounter?.serviceProvider?.reference).toBe(`Organization/${clinic.id}`);
  expect(encounter?.location?.[0]?.location?.reference).toBe(`Location/${ward.id}`);
  expect(encounter?.participant?.[0]?.individual?.reference).toBe(`Practitioner/${doctor.id}`);
  await expectTold();
  const wire = JSON.stringify(world.sent().map(({ url, body }) => [url, body]));
  for (const known of ['Featherstonehaugh', 'Larkspur', '1962845077', '555-010', people.doctor.id, people.clinic.id]) {
    expect([wire.includes(known), (await replicaText()).includes(known)]).toEqual([false, false]);
  }
});

test('a change costs four requests when the stub is there, and brings it along when it is not', async () => {
  world = await createWorld({ stubs: ALL });
  const people = await staff();
  const { patient, encounter, seen } = await visit(people);
  await consent(world, patient);
  await world.settle();
  const { repo } = world.sandbox.source;
  world.sent();
  world.asked();
  await repo.updateResource<Observation>({ ...performedBy(patient, encounter, people, 99), id: seen.id });
  await world.settle();
  expect([world.sent().length, world.asked().length]).toEqual([1, 3]);
  const other = await repo.createResource<Practitioner>({
    resourceType: 'Practitioner',
    name: [{ family: 'Ossington' }],
  });
  await repo.createResource<Observation>(performedBy(patient, encounter, { doctor: other }, 60));
  await world.settle();
  expect([world.sent().length, world.asked().length]).toEqual([2 + 1, 5]);
  expect(await all(world.sandbox, 'Practitioner', 'replica')).toHaveLength(2);
  await expectTold();
  expect(await held(world)).toEqual(await expected(world));
});

test('patients share a stub; when the consent of one ends, the copies go and the stub stays', async () => {
  world = await createWorld({ stubs: ALL });
  const people = await staff();
  const first = await visit(people);
  const second = await visit(people);
  const given = await consent(world, first.patient);
  await consent(world, second.patient);
  await world.settle();
  expect(await stubs()).toHaveLength(3);
  await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
  await world.settle();
  expect((await copies(world))['Patient']).toBe(1);
  expect(await stubs()).toHaveLength(3);
  expect(await held(world)).toEqual(await expected(world));
});

test('what the source no longer has is a stub that tells nothing', async () => {
  world = await createWorld({ stubs: ALL });
  const people = await staff();
  const { patient } = await visit(people);
  await world.sandbox.source.repo.deleteResource('Practitioner', people.doctor.id);
  await consent(world, patient);
  await world.settle();
  const [doctor] = await all<Practitioner>(world.sandbox, 'Practitioner', 'replica');
  const { meta: _meta, id: _id, identifier, ...rest } = doctor as WithId<Practitioner>;
  expect([rest, identifier?.length]).toEqual([{ resourceType: 'Practitioner' }, 1]);
  expect(await held(world)).toEqual(await expected(world));
});

test('reconcile finds nothing to do, and heals copies whose stub was deleted on the replica', async () => {
  world = await createWorld({ stubs: ALL });
  const people = await staff();
  const { patient } = await visit(people);
  await consent(world, patient);
  await world.settle();
  const clean = await world.execute('reconcile', { deep: true });
  expect(JSON.stringify(clean.body)).not.toMatch(/"(stale|tampered|notSynced|orphaned)":[1-9]/);
  expect(clean.body).toMatchObject({ isComplete: true, errors: [] });
  const [doctor] = await all<Practitioner>(world.sandbox, 'Practitioner', 'replica');
  await world.sandbox.replica.repo.deleteResource('Practitioner', doctor?.id ?? '');
  await world.execute('reconcile', {});
  const [again] = await all<Practitioner>(world.sandbox, 'Practitioner', 'replica');
  expect(again?.identifier).toEqual(doctor?.identifier);
  const found = await all<Observation>(world.sandbox, 'Observation', 'replica');
  expect(found.flatMap(({ performer = [] }) => performer.map(({ reference }) => reference))).toEqual([
    `Practitioner/${again?.id}`,
  ]);
  expect(await held(world)).toEqual(await expected(world));
});

test('after a rotation of the key copies refer to stubs under the new one', async () => {
  const NEXT = '5b0e93d7f12ca8467e39d0b4c81fa652390be7d8c4f16a25e08b7dc3941fa6e2';
  world = await createWorld({ stubs: ALL });
  const people = await staff();
  const { patient, encounter, seen } = await visit(people);
  await consent(world, patient);
  await world.settle();
  const { source } = world.sandbox;
  const project = await source.repo.readResource('Project', source.projectId);
  const secrets = (project as { secret?: { name: string; valueString: string }[] }).secret ?? [];
  const before = Object.fromEntries(secrets.map(({ name, valueString }) => [name, valueString]));
  await source.setSecrets({
    ...before,
    PSEUDONYM_KEY: NEXT,
    PSEUDONYM_KEY_PREVIOUS: before['PSEUDONYM_KEY'] ?? '',
    PSEUDONYM_KEY_VERSION: '2',
  });
  await source.repo.updateResource<Observation>({ ...performedBy(patient, encounter, people, 99), id: seen.id });
  await world.settle();
  await world.execute('reconcile', {});
  const doctors = await all<Practitioner>(world.sandbox, 'Practitioner', 'replica');
  expect(new Set(doctors.map(({ identifier }) => identifier?.[0]?.value)).size).toBe(2);
  expect(await held(world)).toEqual(await expected(world));
});

test('off, as delivered: no reference, no stub, no request for either', async () => {
  world = await createWorld();
  const people = await staff();
  const { patient } = await visit(people);
  await consent(world, patient);
  await world.settle();
  expect(await stubs()).toEqual([]);
  expect(await replicaText()).not.toMatch(/performer|serviceProvider|individual|"location"|Practitioner/);
  const asked = world.asked().map(({ url, body }) => `${url} ${JSON.stringify(body)}`);
  expect(asked.filter((one) => /"(?:Practitioner|Organization|Location)[?/]/.test(one))).toEqual([]);
});
