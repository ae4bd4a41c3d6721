/** The bot `admin`: who may ask, what is written down, and what a refusal tells. Through the built bundle, in the vm. */
import type { WithId } from '@medplum/core';
import type { AuditEvent } from '@medplum/fhirtypes';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/bots/actions.ts';
import { admit, all, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';
import { askBot, CALLER, client, coded, practitioner, reasonOf, setSettings } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';

const NAMES = Object.keys(ACTIONS);

let world: World;
let person: Awaited<ReturnType<typeof admit>>;
/** What each caller signs in with. */
const callers: Record<string, string> = {};
let seen: number;

const source = (): World['sandbox']['source'] => world.sandbox.source;

beforeAll(async () => {
  const listed = { reference: '' };
  world = await createWorld();
  person = await admit(world);
  callers['a listed client'] = await client(world).then(({ reference, authorization }) => {
    listed.reference = reference;
    return authorization;
  });
  await setSettings(world, { ADMIN_CLIENTS: listed.reference });
  callers['an ADMIN'] = await practitioner(world, coded('ADMIN'));
  callers['a PATIENT'] = await source().createUser(
    { reference: `Patient/${person.patient.id}` },
    { accessPolicy: CALLER }
  );
  callers['a CLINICIAN'] = await practitioner(world, coded('224608005', 'http://snomed.info/sct'));
  callers['a RESEARCHER'] = await practitioner(world, coded('RESEARCHER'));
  callers['an ADMIN of another organisation’s code system'] = await practitioner(
    world,
    coded('ADMIN', 'https://other.example/fhir/role')
  );
  callers['an ADMIN whose role has ended'] = await practitioner(world, {
    ...coded('ADMIN'),
    period: { end: '2020-01-01' },
  });
  callers['an ADMIN whose role is inactive'] = await practitioner(world, { ...coded('ADMIN'), active: false });
  callers['a client that is not listed'] = (await client(world)).authorization;
  await world.settle();
});
afterAll(async () => {
  await world.close();
});

const ask = async (who: string, input: unknown): Promise<Answer> => askBot(world, 'admin', callers[who] ?? '', input);

const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_ADMIN');
const fresh = async (): Promise<WithId<AuditEvent>[]> => (await trail()).slice(seen);
beforeEach(async () => {
  seen = (await trail()).length;
});

const REFUSED = [
  'a PATIENT',
  'a CLINICIAN',
  'a RESEARCHER',
  'an ADMIN of another organisation’s code system',
  'an ADMIN whose role has ended',
  'an ADMIN whose role is inactive',
  'a client that is not listed',
];

describe.each(REFUSED)('%s', (who) => {
  test.each([...NAMES, 'no/such-action'])('is refused %s, learns nothing, and is written down', async (action) => {
    const answer = await ask(who, { action, patient: person.patient.id, reason: 'Janeway Doe asked for it' });
    expect([answer.status, answer.body.issue?.length, answer.body.issue?.[0]?.code]).toEqual([400, 1, 'forbidden']);
    expect(JSON.stringify(answer.body)).not.toMatch(new RegExp(`Janeway|Doe|${person.patient.id}`));
    const events = await fresh();
    expect(events).toMatchObject([
      {
        type: { code: 'FHIR_ADMIN' },
        subtype: [{ code: NAMES.includes(action) ? action : 'unknown-action' }],
        outcome: '4',
        outcomeDesc: 'no-role',
        agent: [{ requestor: true }, { requestor: false }],
      },
    ]);
    expect(JSON.stringify(events)).not.toMatch(/Janeway|Zimmerman|"ADMIN"/);
  });
});

test('nobody is nobody: without a sign-in the platform refuses', async () => {
  expect((await ask('', { action: 'help' })).status).toBe(401);
});

describe.each(['an ADMIN', 'a listed client'])('%s', (who) => {
  test('is told of all actions, and that is written down', async () => {
    const { status, body } = await ask(who, { action: 'help' });
    expect(status).toBe(200);
    expect((body['actions'] as { action: string }[]).map(({ action }) => action)).toEqual(NAMES);
    expect(await fresh()).toMatchObject([
      {
        subtype: [{ code: 'help' }],
        action: 'R',
        outcome: '0',
        outcomeDesc: 'done',
        agent: [{ role: [{ coding: [{ code: 'ADMIN' }] }] }, {}],
      },
    ]);
  });
});

describe('what is not understood', () => {
  test.each([undefined, null, 'help', {}, { action: 'toString' }, { action: 'no/such' }, { action: ['help'] }])(
    '%j is answered with the actions that there are',
    async (input) => {
      const answer = await ask('an ADMIN', input);
      expect([answer.status, answer.body.issue?.[0]?.code]).toEqual([400, 'not-supported']);
      expect(reasonOf(answer)).toBe(`actions: ${NAMES.toSorted().join(', ')}`);
      expect(await fresh()).toMatchObject([{ subtype: [{ code: 'unknown-action' }], outcome: '4' }]);
    }
  );

  test('parameters that are not known are an error, and are not repeated', async () => {
    const answer = await ask('an ADMIN', { action: 'help', 'Janeway Doe': 1 });
    expect([answer.body.issue?.[0]?.code, reasonOf(answer)]).toEqual(['invalid', 'known parameters: topic']);
    const events = await fresh();
    expect(events).toMatchObject([{ subtype: [{ code: 'help' }], outcome: '4', outcomeDesc: 'input-invalid' }]);
    expect(JSON.stringify([answer.body, events])).not.toContain('Janeway');
  });
});

test('with sync off an ADMIN still gets an answer', async () => {
  await setSettings(world, { SYNC_ENABLED: 'false' });
  expect((await ask('an ADMIN', { action: 'help' })).status).toBe(200);
  await setSettings(world, { SYNC_ENABLED: '' });
});
