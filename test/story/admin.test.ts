/** The bot `admin`: who may ask, what is written down, and what a refusal tells. Through the built bundle, in the vm. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Practitioner } from '@medplum/fhirtypes';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/bots/actions.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { admit, all, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();
const NAMES = Object.keys(ACTIONS);

let world: World;
let person: Awaited<ReturnType<typeof admit>>;
/** What each caller signs in with. */
const callers: Record<string, string> = {};
let seen: number;

const source = (): World['sandbox']['source'] => world.sandbox.source;

/** May call the bot, and nothing else: the role policy of the deployment is not what keeps a caller out here. */
const CALLER = {
  name: 'caller',
  resource: [
    { resourceType: 'Bot', interaction: ['read' as const, 'search' as const] },
    { resourceType: 'AuditEvent', interaction: ['create' as const] },
  ],
};

async function client(): Promise<{ reference: string; authorization: string }> {
  const { id, secret, reference } = await source().createClient('program', { accessPolicy: CALLER });
  return { reference, authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
}

async function practitioner(role: object): Promise<string> {
  const { id } = await source().repo.createResource<Practitioner>({
    resourceType: 'Practitioner',
    name: [{ family: 'Zimmerman' }],
  });
  const practitionerRole = { practitioner: { reference: `Practitioner/${id}` }, ...role };
  await source().repo.createResource({ resourceType: 'PractitionerRole', ...practitionerRole });
  return source().createUser({ reference: `Practitioner/${id}` }, { accessPolicy: CALLER });
}

const coded = (code: string, system = systems.role): object => ({ code: [{ coding: [{ system, code }] }] });

beforeAll(async () => {
  const listed = { reference: '' };
  world = await createWorld();
  person = await admit(world);
  callers['a listed client'] = await client().then(({ reference, authorization }) => {
    listed.reference = reference;
    return authorization;
  });
  const project = await source().repo.readResource('Project', source().projectId);
  const { secret = [] } = project as { secret?: { name: string; valueString: string }[] };
  await source().setSecrets({
    ...Object.fromEntries(secret.map(({ name, valueString }) => [name, valueString])),
    ADMIN_CLIENTS: listed.reference,
  });
  callers['an ADMIN'] = await practitioner(coded('ADMIN'));
  callers['a PATIENT'] = await source().createUser(
    { reference: `Patient/${person.patient.id}` },
    { accessPolicy: CALLER }
  );
  callers['a CLINICIAN'] = await practitioner(coded('224608005', 'http://snomed.info/sct'));
  callers['a RESEARCHER'] = await practitioner(coded('RESEARCHER'));
  callers['an ADMIN of another organisation’s code system'] = await practitioner(
    coded('ADMIN', 'https://other.example/fhir/role')
  );
  callers['an ADMIN whose role has ended'] = await practitioner({ ...coded('ADMIN'), period: { end: '2020-01-01' } });
  callers['an ADMIN whose role is inactive'] = await practitioner({ ...coded('ADMIN'), active: false });
  callers['a client that is not listed'] = (await client()).authorization;
  await world.settle();
});
afterAll(async () => {
  await world.close();
});

interface Answer {
  readonly status: number;
  readonly body: {
    readonly resourceType?: string;
    readonly issue?: readonly { readonly code: string; readonly details: { readonly text: string } }[];
    readonly [name: string]: unknown;
  };
}

async function ask(who: string, input: unknown): Promise<Answer> {
  const url = `${source().baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systems.bot}|admin`)}`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: callers[who] ?? '', 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_ADMIN');
const fresh = async (): Promise<WithId<AuditEvent>[]> => (await trail()).slice(seen);
beforeEach(async () => {
  seen = (await trail()).length;
});
const reasonOf = ({ body }: Answer): string | undefined => body.issue?.[1]?.details.text;

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
  const project = await source().repo.readResource('Project', source().projectId);
  const { secret = [] } = project as { secret?: { name: string; valueString: string }[] };
  const before = Object.fromEntries(secret.map(({ name, valueString }) => [name, valueString]));
  await source().setSecrets({ ...before, SYNC_ENABLED: 'false' });
  expect((await ask('an ADMIN', { action: 'help' })).status).toBe(200);
  await source().setSecrets(before);
});
