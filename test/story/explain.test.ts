/** `explain`, asked by the bot `admin` in the name of an ADMIN, and by others in their own: through the built bundles. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Bot, Observation, Task } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Explanation } from '../../src/flows/sync/explain.ts';
import { askBot, client, coded, practitioner, reasonOf, setSettings } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';
import { admit, all, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
let person: Awaited<ReturnType<typeof admit>>;
let stranger: Awaited<ReturnType<typeof admit>>;
let admin: string;

beforeAll(async () => {
  world = await createWorld();
  person = await admit(world);
  stranger = await admit(world, 'Stranger');
  await consent(world, person.patient, ['DEMOGRAPHICS', 'VITAL_SIGNS']);
  const program = await client(world);
  await setSettings(world, { ADMIN_CLIENTS: program.reference });
  admin = program.authorization;
  await world.settle();
});
afterAll(async () => {
  await world.close();
});

const ask = async (input: object): Promise<Answer> =>
  askBot(world, 'admin', admin, { action: 'explain', patient: person.patient.id, ...input });
async function recordsOf(...names: string[]): Promise<readonly Explanation[]> {
  const { status, body } = await ask({ resource: names });
  expect([status, reasonOf({ status, body })]).toEqual([200, undefined]);
  return body.records as readonly Explanation[];
}
const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type, subtype }) => type.code === 'FHIR_ADMIN' && subtype?.[0]?.code === 'explain'
  );

describe('a record', () => {
  test('decision, evidence, the names of what would be sent, and the token under which it is', async () => {
    world.sent();
    const [pulse] = await recordsOf(`Observation/${person.pulse.id}`);
    const [copy] = await all<Observation>(world.sandbox, 'Observation', 'replica');
    expect(pulse).toMatchObject({
      record: `Observation/${person.pulse.id}`,
      would: 'copy',
      token: copy?.identifier?.[0]?.value,
      decision: { decision: 'permit', reason: 'root-permit', path: 'provision', purpose: 'TREAT' },
      jobs: [],
    });
    expect(pulse?.says).toMatch(/^Permitted for TREAT by Consent /);
    expect(pulse?.conditions).toContainEqual({ condition: 'class', holds: 'true' });
    expect(pulse?.considered).toHaveLength(1);
    // Exactly what the copy has; the server adds its own meta.
    expect(pulse?.sent).toEqual(expect.arrayContaining(['status', 'code.coding.code', 'valueQuantity.value']));
    expect(pulse?.sent.filter((path) => !path.includes('.') && path !== 'meta').sort()).toEqual(
      Object.keys(copy ?? {})
        .filter((name) => !['id', 'meta'].includes(name))
        .sort()
    );
    expect(pulse?.dropped).toEqual(
      expect.arrayContaining(['id', 'code.text', 'code.coding.display', 'encounter.reference'])
    );
    expect(world.sent()).toEqual([]);
  });

  test('no value of the record or its copy is in the answer', async () => {
    const { body } = await ask({ resource: [`Observation/${person.pulse.id}`, `Patient/${person.patient.id}`] });
    const text = JSON.stringify(body);
    const copies = await all<Observation>(world.sandbox, 'Observation', 'replica');
    const when = copies[0]?.effectiveDateTime?.slice(0, 10) ?? 'none';
    for (const value of ['8867-4', 'beats/min', '2024-05-06', '1971', 'Janeway', 'Doe', 'MRN', '72', 'female', when]) {
      expect(text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z/g, '')).not.toContain(value);
    }
  });

  test('a refused one, one that is another’s, one that never leaves, one that is not there', async () => {
    const gone = 'Observation/00000000-0000-4000-8000-000000000000';
    const { status, body } = await ask({
      resource: `Encounter/${person.encounter.id},Observation/${stranger.pulse.id},Binary/1,${gone}`,
    });
    expect([status, body.notReplicated, body.notFound]).toEqual([200, ['Binary/1'], [gone]]);
    expect(body.records).toMatchObject([
      { would: 'erase', reason: 'consent-class', decision: { decision: 'no-consent', reason: 'class' }, sent: [] },
      { would: 'erase', reason: 'other-patient', decision: { decision: 'deny' }, sent: [], dropped: [] },
    ]);
  });

  test('its jobs, and those of the patient as a whole, but no other’s', async () => {
    const control = 'https://holilabs.xyz/fhir';
    const make = async (type: string, focus: string, status: Task['status']): Promise<void> => {
      await world.sandbox.source.repo.createResource<Task>({
        resourceType: 'Task',
        status,
        intent: 'order',
        code: {
          coding: [
            { system: `${control}/control`, code: 'job' },
            { system: `${control}/job-type`, code: type },
          ],
        },
        focus: { reference: focus },
        for: { reference: `Patient/${person.patient.id}` },
        executionPeriod: { start: '2999-01-01T00:00:00.000Z' },
        statusReason: { coding: [{ code: 'replica-unavailable' }] },
      });
    };
    await make('observation-sync', `Observation/${person.pulse.id}`, 'requested');
    await make('encounter-sync', `Encounter/${person.encounter.id}`, 'failed');
    await make('patient-recheck', `Patient/${person.patient.id}`, 'requested');
    await make('observation-sync', `Observation/${person.pulse.id}`, 'completed');
    const [pulse] = await recordsOf(`Observation/${person.pulse.id}`);
    expect(pulse?.jobs.map(({ type, status, reason, due }) => [type, status, reason, due])).toEqual([
      ['observation-sync', 'requested', 'replica-unavailable', '2999-01-01T00:00:00.000Z'],
      ['patient-recheck', 'requested', 'replica-unavailable', '2999-01-01T00:00:00.000Z'],
    ]);
    for (const task of await all<Task>(world.sandbox, 'Task', 'source')) {
      await world.sandbox.source.repo.deleteResource('Task', task.id);
    }
  });
});

test('a patient: counts, type by type', async () => {
  const { body } = await ask({});
  expect(body).toMatchObject({
    isLinked: true,
    consents: 1,
    types: [
      { type: 'Patient', records: 1, copy: 1 },
      { type: 'Encounter', records: 1, 'consent-class': 1 },
      { type: 'Observation', records: 1, copy: 1 },
    ],
    jobs: [],
  });
});

describe('who', () => {
  test('both bots write it down: who asked admin, and that admin asked explain', async () => {
    const before = (await trail()).length;
    await ask({});
    const events = (await trail()).slice(before);
    const bots = await world.sandbox.source.repo.search<Bot>({ resourceType: 'Bot', count: 100 });
    const nameOf = (reference: string | undefined): string | undefined =>
      bots.entry?.find(({ resource }) => `Bot/${resource?.id}` === reference)?.resource?.identifier?.[0]?.value;
    expect(events.map(({ outcome, agent }) => [outcome, nameOf(agent[0]?.who?.reference)]).sort()).toEqual([
      ['0', undefined],
      ['0', 'admin'],
    ]);
  });

  test.each(['CLINICIAN', 'RESEARCHER', 'NURSE'])('a %s asks neither', async (role) => {
    const caller = await practitioner(world, coded(role));
    for (const bot of ['admin', 'explain']) {
      const before = (await trail()).length;
      const answer = await askBot(world, bot, caller, { action: 'explain', patient: person.patient.id });
      expect([answer.status, answer.body.issue?.[0]?.code]).toEqual([400, 'forbidden']);
      expect((await trail()).slice(before).map(({ outcome }) => outcome)).toEqual(['4']);
    }
  });

  test.each([
    { resource: 'Observation' },
    { resource: Array.from({ length: 11 }, (_, index) => `Observation/${index}`) },
    { patient: 'MRN-Doe-77 x' },
    { patient: '00000000-0000-4000-8000-000000000000' },
    { extra: 1 },
  ])('what cannot be understood is refused: %j', async (input) => {
    expect((await ask(input)).status).toBe(400);
  });
});
