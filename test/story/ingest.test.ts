/** The bot `ingest`, scenario by scenario of the seeds' own tests, through the built bundle in the vm. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Consent, Encounter, Observation, Patient, Provenance } from '@medplum/fhirtypes';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { canonical } from '../../src/fhir/canonical.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { askBot, client, coded, practitioner, setSettings } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';
import { bundle, createSender, register, temperature, visit } from '../support/sender.ts';
import type { Sender } from '../support/sender.ts';
import { all, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();

let world: World;
let sender: Sender;
let person: Awaited<ReturnType<typeof register>>;
let seen: number;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world.close();
});
beforeEach(async () => {
  sender = await createSender(world);
  person = await register(world, sender);
  seen = (await trail()).length;
});
afterEach(async () => {
  await world.settle();
});

const repo = (): World['sandbox']['source']['repo'] => world.sandbox.source.repo;
const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_INGRESS');
const fresh = async (): Promise<WithId<AuditEvent>[]> => (await trail()).slice(seen);
const ofPerson = async <T extends Observation | Encounter>(type: T['resourceType']): Promise<WithId<T>[]> =>
  (await all<T>(world.sandbox, type, 'source')).filter(
    ({ subject }) => subject?.reference === `Patient/${person.patient.id}`
  );
const observations = (): Promise<WithId<Observation>[]> => ofPerson<Observation>('Observation');
const issuesOf = ({ body }: Answer): string[] =>
  (body.issue ?? [])
    .slice(1)
    .map((one) => `${one.code} ${(one as { expression?: string[] }).expression?.[0] ?? ''}`.trim());
interface Row {
  readonly success: boolean;
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
}
const rows = ({ body }: Answer): Row[] => body['results'] as Row[];

describe('Observation', () => {
  test('ingests a valid FHIR Observation: created, coded, not synced back, with Provenance and audit', async () => {
    const sent = temperature(person.token);
    const answer = await sender.send(sent);
    const [stored, ...others] = (await observations()) as [WithId<Observation>];
    expect(answer).toEqual({
      status: 200,
      body: { success: true, resourceType: 'Observation', id: stored.id, status: 'created' },
    });
    expect(others).toEqual([]);
    expect(stored).toMatchObject({
      subject: { reference: `Patient/${person.patient.id}` },
      valueQuantity: { value: 37.2, unit: 'Cel', system: 'http://unitsofmeasure.org', code: 'Cel' },
      category: [{ coding: [{ code: 'vital-signs' }] }],
      meta: { tag: [{ system: systems.sync, code: 'no-sync' }] },
    });
    const hash = createHash('sha256').update(canonical(sent)).digest('hex');
    const [provenance] = (await all<Provenance>(world.sandbox, 'Provenance', 'source')).filter(
      ({ target }) => target[0]?.reference === `Observation/${stored.id}`
    );
    expect(provenance).toMatchObject({
      agent: [{ who: { reference: `Organization/${sender.organization.id}` } }, {}, {}],
      entity: [{ role: 'source', what: { identifier: { value: `sha-256:${hash}` } } }],
    });
    const events = await fresh();
    expect(events).toMatchObject([
      { action: 'C', outcome: '0', agent: [{ who: { reference: sender.reference } }, {}] },
    ]);
    expect(JSON.stringify(events)).toContain(hash);
    expect(JSON.stringify(events)).not.toMatch(/obs_external|Zorkmid|37\.2/);
  });

  test('rejects an observation with a missing patient reference', async () => {
    const answer = await sender.send(temperature(person.token, { subject: undefined }));
    expect([answer.status, issuesOf(answer)]).toEqual([400, ['required Observation.subject']]);
    expect(await fresh()).toMatchObject([{ outcome: '4', outcomeDesc: 'required' }]);
  });

  test('rejects an observation when the patient token is not found', async () => {
    const answer = await sender.send(temperature(`pt_${'z'.repeat(32)}`));
    expect([answer.status, issuesOf(answer)]).toEqual([400, ['not-found Observation.subject']]);
    expect(await observations()).toEqual([]);
  });

  test('skips a duplicate, and answers with what is there', async () => {
    const first = await sender.send(temperature(person.token));
    const second = await sender.send(temperature(person.token));
    expect(second.body).toEqual({ ...first.body, status: 'unchanged' });
    expect(await observations()).toHaveLength(1);
  });

  test('takes a record without an encounter', async () => {
    await sender.send(temperature(person.token));
    expect((await observations())[0]?.encounter).toBeUndefined();
  });

  test('prefers the LOINC coding', async () => {
    const snomed = { system: 'http://snomed.info/sct', code: '386725007' };
    const loinc = { system: 'http://loinc.org', code: '8310-5' };
    await sender.send(temperature(person.token, { code: { coding: [snomed, loinc] } }));
    expect((await observations())[0]?.code.coding).toEqual([loinc, snomed]);
  });

  test('an update with a newer version updates; an older one does not', async () => {
    const version = (versionId: string, value: number): object => ({
      meta: { versionId },
      valueQuantity: { value, unit: 'Cel' },
    });
    const { body } = await sender.send(temperature(person.token, version('2', 38)));
    const newer = await sender.send(temperature(person.token, version('3', 39)));
    expect(newer.body).toMatchObject({ id: body['id'], status: 'updated' });
    const older = await sender.send(temperature(person.token, version('1', 36)));
    expect(older.body).toMatchObject({ id: body['id'], status: 'outdated', success: true });
    expect((await observations()).map(({ valueQuantity }) => valueQuantity?.value)).toEqual([39]);
    expect((await fresh()).map(({ action }) => action)).toEqual(['C', 'U', 'E']);
  });

  test('finds the patient by an identifier of the sender’s organization', async () => {
    const byQuery = { subject: { reference: `Patient?identifier=urn:oid:1.2.3|${person.mrn}` } };
    const byName = { subject: { identifier: { system: 'urn:oid:1.2.3', value: person.mrn } }, id: 'two' };
    expect((await sender.send(temperature('', byQuery))).status).toBe(200);
    expect((await sender.send(temperature('', byName))).status).toBe(200);
    expect(await observations()).toHaveLength(2);
  });

  test('a source id is nobody’s name', async () => {
    const answer = await sender.send(temperature(person.patient.id));
    expect(issuesOf(answer)).toEqual(['not-found Observation.subject']);
  });
});

describe('Encounter', () => {
  test.each(['planned', 'in-progress', 'finished', 'cancelled', 'entered-in-error'])(
    'keeps the status %s',
    async (status) => {
      expect((await sender.send(visit(person.token, { status }))).status).toBe(200);
      expect(await ofPerson<Encounter>('Encounter')).toMatchObject([{ status }]);
    }
  );

  test.each(['AMB', 'EMER', 'VR', 'HH'])('keeps the class %s', async (code) => {
    await sender.send(visit(person.token, { class: { code } }));
    expect(await ofPerson<Encounter>('Encounter')).toMatchObject([{ class: { code } }]);
  });

  test('keeps reason code and display; skips a duplicate', async () => {
    const reasonCode = [
      { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10', code: 'Z00.00', display: 'Examination' }] },
    ];
    const first = await sender.send(visit(person.token, { reasonCode }));
    const second = await sender.send(visit(person.token, { reasonCode }));
    expect(second.body['id']).toBe(first.body['id']);
    expect(await ofPerson<Encounter>('Encounter')).toMatchObject([{ reasonCode }]);
  });

  test('records link to it, sent before or together', async () => {
    const { body } = await sender.send(visit(person.token));
    await sender.send(temperature(person.token, { encounter: { reference: 'Encounter/enc_abc' } }));
    expect((await observations())[0]?.encounter).toEqual({ reference: `Encounter/${String(body['id'])}` });
    const unknown = await sender.send(
      temperature(person.token, { id: 'three', encounter: { reference: 'Encounter/never-sent' } })
    );
    expect(unknown.body).toMatchObject({ success: true, warnings: [expect.stringContaining('kept as a name')] });
  });
});

describe('Bundle', () => {
  test.each(['batch', 'collection', 'transaction'] as const)('%s: takes mixed resources, in order', async (type) => {
    const answer = await sender.send(
      bundle(type, temperature(person.token, { encounter: { reference: 'Encounter/enc_abc' } }), visit(person.token))
    );
    const [encounter] = await ofPerson<Encounter>('Encounter');
    const [observation] = await observations();
    expect(answer.body).toEqual({
      success: true,
      total: 2,
      succeeded: 2,
      failed: 0,
      results: [
        { success: true, resourceType: 'Observation', id: observation?.id, status: 'created' },
        { success: true, resourceType: 'Encounter', id: encounter?.id, status: 'created' },
      ],
    });
    expect(observation?.encounter?.reference).toBe(`Encounter/${encounter?.id}`);
  });

  test('partial failure in a batch; nothing in a transaction', async () => {
    const entries = [visit(person.token), temperature(person.token, { subject: undefined })];
    const together = await sender.send(bundle('transaction', ...entries));
    expect(together.body).toMatchObject({ success: false, total: 2, succeeded: 0, failed: 2 });
    expect(await ofPerson<Encounter>('Encounter')).toEqual([]);
    const apart = await sender.send(bundle('batch', ...entries));
    expect(apart.body).toMatchObject({
      success: false,
      total: 2,
      succeeded: 1,
      failed: 1,
      results: [
        { success: true },
        { success: false, error: 'Observation.subject is required', outcome: { issue: [{ code: 'required' }] } },
      ],
    });
  });

  test('what only the server refuses fails alone, and leaves nothing of itself', async () => {
    const before = (await all<Provenance>(world.sandbox, 'Provenance', 'source')).length;
    const sent = [
      temperature(person.token, { id: 'a' }),
      temperature(person.token, { id: 'b', effectiveDateTime: 'yesterday' }),
      temperature(person.token, { id: 'c', zebedee: 'Zorkmid' }),
      temperature(person.token, { id: 'd' }),
    ];
    const answer = await sender.send(bundle('batch', ...sent));
    expect(rows(answer).map(({ success }) => success)).toEqual([true, false, false, true]);
    expect(JSON.stringify(answer.body)).not.toMatch(/yesterday|zebedee|Zorkmid/);
    expect((await all<Provenance>(world.sandbox, 'Provenance', 'source')).length - before).toBe(2);
    expect(
      (await sender.send(bundle('transaction', ...sent.map((one) => ({ ...one, id: `t${String(one['id'])}` }))))).body
    ).toMatchObject({ succeeded: 0 });
    expect(await observations()).toHaveLength(2);
  });

  test('keeps order over fifty entries, several transactions', async () => {
    const sent = Array.from({ length: 50 }, (_, index) =>
      temperature(person.token, { id: `obs_${index}`, valueQuantity: { value: index, unit: 'Cel' } })
    );
    const answer = await sender.send(bundle('batch', ...sent));
    const values = new Map((await observations()).map(({ id, valueQuantity }) => [id, valueQuantity?.value]));
    expect(rows(answer).map(({ id }) => values.get(id ?? ''))).toEqual(sent.map((_, index) => index));
    expect(await fresh()).toHaveLength(3);
  });

  test('goes on after failures; the same record twice is one', async () => {
    const answer = await sender.send(
      bundle(
        'batch',
        temperature(person.token),
        temperature(person.token),
        temperature(person.token, { id: 'obs_3', status: 'no-status' }),
        temperature(person.token, { id: 'obs_4' })
      )
    );
    const [a, b, c, d] = rows(answer);
    expect([a?.status, b?.status, c?.success, d?.status]).toEqual(['created', 'unchanged', false, 'created']);
    expect(b?.id).toBe(a?.id);
  });

  test('a new patient, an encounter and an observation by fullUrl, in one transaction', async () => {
    const patient = {
      resourceType: 'Patient',
      identifier: [{ system: 'urn:oid:1.2.3', value: 'NEW-1' }],
      name: [{ family: 'Quux' }],
      gender: 'male',
      link: [{ other: { reference: `Patient/${person.token}` }, type: 'replaced-by' }],
    };
    const urn = 'urn:uuid:11111111-2222-4333-8444-555555555555';
    const input = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        { resource: temperature('', { subject: { reference: urn } }), request: { method: 'POST', url: 'Observation' } },
        { fullUrl: urn, resource: { ...patient, link: undefined }, request: { method: 'POST', url: 'Patient' } },
      ],
    };
    const answer = await sender.send(input);
    expect(answer.body).toMatchObject({ success: true, succeeded: 2 });
    const [observation, made] = rows(answer);
    const stored = await repo().readResource<Patient>('Patient', made?.id ?? '');
    expect(stored).toMatchObject({ managingOrganization: { reference: `Organization/${sender.organization.id}` } });
    expect(await repo().readResource<Observation>('Observation', observation?.id ?? '')).toMatchObject({
      subject: { reference: `Patient/${made?.id}` },
    });
    expect((await sender.send(input)).body).toMatchObject({
      results: [{ status: 'unchanged' }, { status: 'unchanged' }],
    });
  });

  test('a patient whom the organization has is not changed by a sender', async () => {
    const answer = await sender.send({
      resourceType: 'Patient',
      id: 'p1',
      identifier: [{ system: 'urn:oid:1.2.3', value: person.mrn }],
      name: [{ family: 'Changed' }],
      gender: 'other',
    });
    expect(answer.body).toMatchObject({ id: person.patient.id, status: 'known' });
    expect((await repo().readResource<Patient>('Patient', person.patient.id)).name?.[0]?.family).toBe('Zorkmid');
  });
});

describe('who may send', () => {
  test('nobody without a sign-in, and nobody who is not the client of exactly one active organization', async () => {
    expect((await askBot(world, 'ingest', '', temperature(person.token))).status).toBe(401);
    const inactive = await createSender(world, { active: false });
    const another = { system: systems.ingestClient, value: sender.reference.split('/')[1] ?? '' };
    const callers: Record<string, string> = {
      'a client of no organization': (await client(world)).authorization,
      'a client of an inactive one': inactive.authorization,
      'an ADMIN': await practitioner(world, coded('ADMIN')),
      'a RESEARCHER': await practitioner(world, coded('RESEARCHER')),
      'a PATIENT': await world.sandbox.source.createUser({ reference: `Patient/${person.patient.id}` }),
    };
    for (const [who, authorization] of Object.entries(callers)) {
      const answer = await askBot(world, 'ingest', authorization, temperature(person.token));
      expect([answer.status, answer.body.issue?.[0]?.code, answer.body.issue?.length], who).toEqual([
        400,
        'forbidden',
        1,
      ]);
    }
    await repo().createResource({ resourceType: 'Organization', name: 'A second one', identifier: [another] });
    expect((await sender.send(temperature(person.token))).body.issue?.[0]?.code).toBe('forbidden');
    expect(await observations()).toEqual([]);
    expect((await fresh()).map(({ outcomeDesc }) => outcomeDesc)).toEqual(Array(6).fill('no-organization'));
  });

  test('of another organization’s patient nobody learns anything: as if there were none', async () => {
    const other = await createSender(world);
    const [theirs, nobody] = [await other.send(temperature(person.token)), await other.send(temperature('pt_none'))];
    expect(theirs).toEqual(nobody);
    const byIdentifier = { subject: { reference: `Patient?identifier=urn:oid:1.2.3|${person.mrn}` } };
    expect((await other.send(temperature('', byIdentifier))).body).toEqual(nobody.body);
    expect(await observations()).toEqual([]);
  });

  test('the ids of one sender mean nothing for another, and no record may name two patients', async () => {
    await sender.send(visit(person.token));
    const second = await register(world, sender);
    const crossed = await sender.send(temperature(second.token, { encounter: { reference: 'Encounter/enc_abc' } }));
    expect(issuesOf(crossed)).toEqual(['business-rule Observation.encounter']);
    const performer = await sender.send(
      temperature(second.token, { performer: [{ reference: `Patient/${person.token}` }] })
    );
    expect(issuesOf(performer)).toEqual(['business-rule Observation.performer']);
    const moved = await sender.send(visit(second.token, { meta: { versionId: '9' } }));
    expect(issuesOf(moved)).toEqual(['conflict']);
    const other = await createSender(world);
    const theirs = await register(world, other);
    const answer = await other.send(temperature(theirs.token, { encounter: { reference: 'Encounter/enc_abc' } }));
    expect(answer.body).toMatchObject({ success: true, warnings: [expect.stringContaining('kept as a name')] });
  });

  test('a reference to a record of ours by its id stays a name', async () => {
    const [, encounter] = [await sender.send(visit(person.token)), (await ofPerson<Encounter>('Encounter'))[0]];
    await sender.send(
      temperature(person.token, {
        encounter: { reference: `Encounter/${encounter?.id}` },
        performer: [{ reference: 'Practitioner/1', display: 'Dr. Who' }],
      })
    );
    expect((await observations())[0]).toMatchObject({
      encounter: { type: 'Encounter', identifier: { value: `Encounter/${encounter?.id}` } },
      performer: [{ type: 'Practitioner', identifier: { value: 'Practitioner/1' }, display: 'Dr. Who' }],
    });
    expect(JSON.stringify(await observations())).not.toContain('"reference":"Practitioner');
  });
});

describe('consent', () => {
  const deny = async (): Promise<void> => {
    await repo().createResource<Consent>({
      resourceType: 'Consent',
      status: 'active',
      scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
      category: [{ coding: [{ system: 'http://loinc.org', code: '59284-6' }] }],
      patient: { reference: `Patient/${person.patient.id}` },
      policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTOUT' }] },
      provision: { type: 'deny' },
    });
  };

  test('a denial is obeyed, silence is none', async () => {
    expect((await sender.send(temperature(person.token))).status).toBe(200);
    await deny();
    const answer = await sender.send(temperature(person.token, { id: 'another' }));
    expect([answer.status, issuesOf(answer)]).toEqual([400, ['forbidden']]);
  });

  test('`if-permitted`: silence is not enough', async () => {
    await setSettings(world, { INGEST_CONSENT: 'if-permitted' });
    try {
      expect(issuesOf(await sender.send(temperature(person.token)))).toEqual(['forbidden']);
    } finally {
      await setSettings(world, { INGEST_CONSENT: '' });
    }
  });
});

describe('limits', () => {
  test('entries, depth and rate', async () => {
    await setSettings(world, { INGEST_MAX_ENTRIES: '3', INGEST_PER_MINUTE: '4', INGEST_MAX_DEPTH: '12' });
    try {
      const many = bundle('batch', ...Array.from({ length: 4 }, () => temperature(person.token)));
      expect((await sender.send(many)).body.issue?.[1]?.details.text).toBe('the Bundle has more than 3 entries');
      let deep: unknown = 1;
      for (let level = 0; level < 13; level++) {
        deep = [deep];
      }
      expect((await sender.send(temperature(person.token, { deep }))).body.issue?.[1]?.details.text).toMatch(/deeply/);
      for (const id of ['1', '2', '3', '4']) {
        expect((await sender.send(temperature(person.token, { id }))).status).toBe(200);
      }
      const late = await sender.send(temperature(person.token, { id: '5' }));
      expect([late.status, late.body.issue?.[0]?.code]).toEqual([400, 'throttled']);
      expect(late.body.issue?.[1]?.details.text).toMatch(/^retry after \d+ seconds$/);
      expect((await (await createSender(world)).send(temperature('pt_x'))).body.issue?.[0]?.code).toBe('invalid');
    } finally {
      await setSettings(world, { INGEST_MAX_ENTRIES: '', INGEST_PER_MINUTE: '', INGEST_MAX_DEPTH: '' });
    }
  });

  test('ten at once make one record each, and none twice', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => sender.send(temperature(person.token, { id: `same-${index % 2}` })))
    );
    const taken = answers.filter(({ status }) => status === 200);
    expect(taken.length).toBeGreaterThan(0);
    expect(new Set(taken.map(({ body }) => body['id'])).size).toBeLessThanOrEqual(2);
    expect((await observations()).length).toBeLessThanOrEqual(2);
  });
});
