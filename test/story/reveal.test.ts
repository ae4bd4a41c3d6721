/** Encrypted originals, from the event that writes one to the person who may see it: over both servers, in the vm. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Basic, Binary, Consent, Encounter, Patient, Practitioner } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { SEVERITY } from '../../src/observability/access-trail.ts';
import { admit, all, consent, createWorld, expected, held } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();
const PAYLOAD_KEY = '6c1f0b7a94e2d358c05be8f1a7d4923065fe1cbb87a9d240e3c69f517b8ad204';
const NEXT_KEY = 'f0a8d1c3b59e7264013ba9c8d5e6f7124a6b3c9d80e1f25374b6c8da90e1f357';
const REASON = 'Janeway Doe was brought in unconscious';

let world: World;
let patient: WithId<Patient>;
let encounter: WithId<Encounter>;
let given: WithId<Consent>;

beforeEach(async () => {
  world = await createWorld({ settings: { PAYLOAD_KEY } });
  ({ patient, encounter } = await admit(world));
  given = await consent(world, patient);
  await world.settle();
});
afterEach(async () => {
  await world.close();
});

const source = (): World['sandbox']['source'] => world.sandbox.source;
const binaries = async (): Promise<WithId<Binary>[]> => {
  const controls = await all<Basic>(world.sandbox, 'Basic', 'source');
  const names = controls.flatMap(({ extension }) => extension?.[0]?.extension ?? []);
  const ids = names.flatMap(({ url, valueString }) => (url === 'binary' && valueString ? [valueString] : []));
  return Promise.all(ids.map(async (name) => source().repo.readResource<Binary>('Binary', name.split('/')[1] ?? '')));
};
const tokenOf = async (): Promise<string> => {
  const [copy] = await all<Patient>(world.sandbox, 'Patient', 'replica');
  return copy?.identifier?.[0]?.value ?? '';
};

interface Answer {
  readonly status: number;
  readonly body: {
    readonly resourceType?: string;
    readonly id?: string;
    readonly issue?: readonly { readonly code: string; readonly details: { readonly text: string } }[];
    readonly broken?: readonly Readonly<Record<string, unknown>>[];
    readonly [name: string]: unknown;
  };
}

async function ask(authorization: string, input: unknown): Promise<Answer> {
  const url = `${source().baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systems.bot}|reveal`)}`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

/** May call the bot, and nothing else: what it shows has to come through it. */
const CALLER = {
  name: 'caller',
  resource: [
    { resourceType: 'Bot', interaction: ['read' as const, 'search' as const] },
    { resourceType: 'AuditEvent', interaction: ['create' as const] },
  ],
};

const signIn = async (reference: string): Promise<string> =>
  source().createUser({ reference }, { accessPolicy: CALLER });

async function practitioner(role?: string): Promise<{ id: string; authorization: string }> {
  const { id } = await source().repo.createResource<Practitioner>({
    resourceType: 'Practitioner',
    name: [{ family: 'Zimmerman' }],
  });
  if (role) {
    await source().repo.createResource({
      resourceType: 'PractitionerRole',
      practitioner: { reference: `Practitioner/${id}` },
      code: [{ coding: [{ system: systems.role, code: role }] }],
    });
  }
  return { id, authorization: await signIn(`Practitioner/${id}`) };
}

async function clinician(status: Encounter['status'] = 'in-progress'): Promise<string> {
  const { id, authorization } = await practitioner();
  await source().repo.createResource<Encounter>({
    resourceType: 'Encounter',
    status,
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'EMER' },
    subject: { reference: `Patient/${patient.id}` },
    participant: [{ individual: { reference: `Practitioner/${id}` } }],
  });
  await world.settle();
  return authorization;
}

const reveals = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_REVEAL');
const lastReveal = async (): Promise<WithId<AuditEvent> | undefined> => (await reveals()).at(-1);
const reasonOf = ({ body }: Answer): string | undefined => body.issue?.[1]?.details.text;

describe('the original', () => {
  test('lies encrypted in a Binary of the source that belongs to the Patient', async () => {
    const [binary, ...others] = await binaries();
    expect(others).toEqual([]);
    expect(binary).toMatchObject({
      contentType: 'application/jose',
      securityContext: { reference: `Patient/${patient.id}` },
    });
    const operator = await source().createClient('reader');
    const authorization = `Basic ${Buffer.from(`${operator.id}:${operator.secret}`).toString('base64')}`;
    const text = await (
      await fetch(`${source().baseUrl}fhir/R4/Binary/${binary?.id}`, { headers: { authorization } })
    ).text();
    expect(text.split('.')).toHaveLength(5);
    expect(Buffer.from(text, 'base64url').toString()).not.toContain('Janeway');
  });

  test('the copy says so, by a URI that holds nothing of the source', async () => {
    const [copy] = await all<Patient>(world.sandbox, 'Patient', 'replica');
    expect(copy?.extension).toEqual([
      { url: `${systems.namespace}/encrypted-payload`, valueUri: `${systems.namespace}/payload/${await tokenOf()}` },
    ]);
    const wire = JSON.stringify([copy, world.sent()]);
    const [binary] = await binaries();
    for (const secret of [patient.id, encounter.id, binary?.id ?? '?', 'Janeway']) {
      expect(wire).not.toContain(secret);
    }
    expect(await held(world)).toEqual(await expected(world));
  });

  test('follows the Patient: three requests more, and the old Binary goes', async () => {
    const [before] = await binaries();
    world.asked();
    world.sent();
    const changed = await source().repo.updateResource<Patient>({ ...patient, name: [{ family: 'Seven' }] });
    await world.settle();
    const [after] = await binaries();
    expect(after?.id).not.toBe(before?.id);
    await expect(source().repo.readResource('Binary', before?.id ?? '')).rejects.toThrow();
    expect([world.asked().length, world.sent().length]).toEqual([3 + 3, 1]);
    const answer = await ask(await signIn(`Patient/${patient.id}`), {
      token: await tokenOf(),
      purpose: 'PATRQT',
      reason: 'mine',
    });
    expect(answer.body).toMatchObject({
      id: patient.id,
      name: [{ family: 'Seven' }],
      meta: { versionId: changed.meta?.versionId },
    });
  });

  test('an Observation still costs four', async () => {
    world.asked();
    world.sent();
    const { pulse } = await admit(world, 'Roe').then(async (other) => {
      await consent(world, other.patient);
      await world.settle();
      world.asked();
      world.sent();
      return other;
    });
    await source().repo.updateResource({ ...pulse, status: 'amended' });
    await world.settle();
    expect([world.asked().length, world.sent().length]).toEqual([3, 1]);
  });

  test('a burst of changes leaves one Binary, of the newest version', async () => {
    world.asked();
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) =>
        source().repo.updateResource<Patient>({ ...patient, name: [{ family: `Doe${n}` }] })
      )
    );
    await world.settle();
    await world.sweep();
    const now = await source().repo.readResource<Patient>('Patient', patient.id);
    const answer = await ask(await signIn(`Patient/${patient.id}`), {
      token: await tokenOf(),
      purpose: 'PATRQT',
      reason: 'mine',
    });
    expect(answer.body).toMatchObject({ meta: { versionId: now.meta?.versionId } });
    const done = world.asked().filter(({ url }) => /\/Binary(\/|$)/.test(url));
    const [made, gone] = ['POST', 'DELETE'].map((verb) => done.filter(({ method }) => method === verb).length);
    // One was there before.
    expect(1 + (made ?? 0) - (gone ?? 0)).toBe(1);
    expect(made).toBeGreaterThan(0);
  });

  test('goes when the consent goes', async () => {
    const [binary] = await binaries();
    const token = await tokenOf();
    await source().repo.updateResource({ ...given, status: 'inactive' });
    await world.settle();
    expect(await binaries()).toEqual([]);
    await expect(source().repo.readResource('Binary', binary?.id ?? '')).rejects.toThrow();
    const answer = await ask(await signIn(`Patient/${patient.id}`), { token, purpose: 'PATRQT', reason: 'mine' });
    expect([answer.status, reasonOf(answer)]).toEqual([400, 'no-payload']);
  });

  test('is not kept for a patient whose Consent wants no way back from the copy', async () => {
    const category = [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentcategorycodes', code: 'rsdid' }] },
    ];
    await source().repo.updateResource<Consent>({ ...given, category: [...given.category, ...category] });
    await world.settle();
    expect(await all<Patient>(world.sandbox, 'Patient', 'replica')).toMatchObject([{ resourceType: 'Patient' }]);
    expect((await all<Patient>(world.sandbox, 'Patient', 'replica'))[0]?.extension).toBeUndefined();
    expect(await binaries()).toEqual([]);
  });

  test('goes when the Patient is deleted', async () => {
    await source().repo.deleteResource('Patient', patient.id);
    await world.settle();
    expect(await binaries()).toEqual([]);
  });

  test('comes when a key is set later, with the next look at the Patient', async () => {
    await world.close();
    world = await createWorld();
    ({ patient } = await admit(world));
    await consent(world, patient);
    await world.settle();
    expect(await binaries()).toEqual([]);
    expect((await all<Patient>(world.sandbox, 'Patient', 'replica'))[0]?.extension).toBeUndefined();
    await addSettings({ PAYLOAD_KEY });
    await world.sweep();
    expect(await binaries()).toHaveLength(1);
    expect(await held(world)).toEqual(await expected(world));
  });
});

/** Changes settings; an empty one goes. */
async function addSettings(settings: Record<string, string>): Promise<void> {
  const project = await source().repo.readResource('Project', source().projectId);
  const { secret = [] } = project as { secret?: { name: string; valueString: string }[] };
  const all = { ...Object.fromEntries(secret.map(({ name, valueString }) => [name, valueString])), ...settings };
  await source().setSecrets(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')));
}

describe('reveal', () => {
  const request = async (): Promise<{ token: string; purpose: string; reason: string }> => ({
    token: await tokenOf(),
    purpose: 'TREAT',
    reason: REASON,
  });

  test('shows it to a clinician who takes part in an active Encounter, by consent', async () => {
    const answer = await ask(await clinician(), await request());
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(
      JSON.parse(JSON.stringify(await source().repo.readResource('Patient', patient.id))) as unknown
    );
    expect(await lastReveal()).toMatchObject({
      outcome: '0',
      action: 'R',
      extension: [{ url: SEVERITY, valueCode: 'informational' }],
      purposeOfEvent: [{ coding: [{ code: 'TREAT' }] }],
    });
    const told = JSON.stringify(await lastReveal());
    expect(told).toContain(`Consent/${given.id}/_history/${given.meta?.versionId}`);
    expect(told).toContain('"CLINICIAN"');
  });

  test('to the patient, for whom no Consent is asked', async () => {
    expect((await ask(await signIn(`Patient/${patient.id}`), await request())).body).toMatchObject({ id: patient.id });
  });

  test('to an ADMIN by consent', async () => {
    const { authorization } = await practitioner('ADMIN');
    expect((await ask(authorization, await request())).body).toMatchObject({ id: patient.id });
  });

  test('to a client that is listed, and to no other', async () => {
    const client = await source().createClient('program', { accessPolicy: CALLER });
    const authorization = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
    expect(reasonOf(await ask(authorization, await request()))).toBe('no-role');
    await addSettings({ REVEAL_CLIENTS: client.reference });
    expect((await ask(authorization, await request())).status).toBe(200);
  });

  const REFUSED: readonly [string, () => Promise<string>, Record<string, string>, string][] = [
    ['a clinician whose Encounter is finished', () => clinician('finished'), {}, 'no-role'],
    ['a practitioner without an Encounter', async () => (await practitioner()).authorization, {}, 'no-role'],
    ['another patient', async () => signIn(`Patient/${(await admit(world, 'Other')).patient.id}`), {}, 'no-role'],
    ['a researcher', async () => (await practitioner('RESEARCHER')).authorization, {}, 'researcher'],
    ['a clinician who does research', () => clinician(), { purpose: 'HRESCH' }, 'research-purpose'],
    ['a clinician for a purpose without consent', () => clinician(), { purpose: 'HPAYMT' }, 'consent-purpose'],
    ['a clinician who breaks the glass', () => clinician(), { purpose: 'BTG' }, 'break-glass-role'],
    [
      'a clinician with somebody’s token',
      () => clinician(),
      { token: 'pt_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx' },
      'no-role',
    ],
  ];
  test.each(REFUSED)('refuses %s, and writes it down', async (_name, who, changes, reason) => {
    const answer = await ask(await who(), { ...(await request()), ...changes });
    expect([answer.status, answer.body.resourceType, answer.body.issue?.[0]?.code, reasonOf(answer)]).toEqual([
      400,
      'OperationOutcome',
      'forbidden',
      reason,
    ]);
    expect(await lastReveal()).toMatchObject({ outcome: '4', action: 'E', outcomeDesc: reason });
    expect(JSON.stringify(answer.body)).not.toMatch(/Janeway|Doe|1971/);
  });

  test('an unknown token is not found, for an ADMIN', async () => {
    const { authorization } = await practitioner('ADMIN');
    for (const token of ['pt_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx', 'Janeway Doe']) {
      const answer = await ask(authorization, { ...(await request()), token });
      expect([answer.body.issue?.[0]?.code, reasonOf(answer)]).toEqual(['not-found', 'unknown-token']);
      expect(JSON.stringify(await lastReveal())).not.toContain('Janeway');
    }
  });

  test('an input that says too little is invalid', async () => {
    const answer = await ask(await clinician(), { token: await tokenOf() });
    expect([answer.status, answer.body.issue?.[0]?.code, answer.body.issue?.length]).toEqual([400, 'invalid', 3]);
  });

  test('an original that was tampered with is not shown', async () => {
    const [binary] = await binaries();
    const text = await rawOf(binary?.id ?? '');
    const flipped = text.slice(0, -2) + (text.endsWith('AA') ? 'BB' : 'AA');
    await put(binary?.id ?? '', flipped);
    const answer = await ask(await clinician(), await request());
    expect([answer.status, reasonOf(answer)]).toEqual([400, 'unreadable']);
    expect(await lastReveal()).toMatchObject({ outcome: '8', extension: [{ valueCode: 'critical' }] });
  });

  test('another patient’s original in its place is not shown', async () => {
    const [mine] = await binaries();
    const other = await admit(world, 'Roe');
    await consent(world, other.patient);
    await world.settle();
    const theirs = (await binaries()).find(({ id }) => id !== mine?.id);
    await put(mine?.id ?? '', await rawOf(theirs?.id ?? ''));
    const [first] = (await all<Basic>(world.sandbox, 'Basic', 'source')).filter(
      ({ subject, code }) => subject?.reference === `Patient/${patient.id}` && code.coding?.[0]?.code === 'payload'
    );
    const answer = await ask(await signIn(`Patient/${patient.id}`), {
      ...(await request()),
      token: first?.identifier?.find(({ system }) => system === systems.payload)?.value,
    });
    expect(reasonOf(answer)).toBe('unreadable');
  });

  test('a new key: the one before still opens, and the next look encrypts anew', async () => {
    const who = await clinician();
    await addSettings({ PAYLOAD_KEY: NEXT_KEY, PAYLOAD_KEY_VERSION: '2', PAYLOAD_KEY_PREVIOUS: PAYLOAD_KEY });
    expect((await ask(who, await request())).status).toBe(200);
    const [before] = await binaries();
    // The Patient has not changed; something else makes the bots look.
    await source().repo.updateResource<Consent>({ ...given, dateTime: '2020-01-01' });
    await world.settle();
    const [after] = await binaries();
    expect(after?.id).not.toBe(before?.id);
    await addSettings({ PAYLOAD_KEY_PREVIOUS: '' });
    expect((await ask(who, await request())).status).toBe(200);
  });

  test('a sweep encrypts anew what lies under the key before, also of a patient nobody touches', async () => {
    await world.sweep();
    await world.sandbox.clock.advance(60 * 60_000);
    await world.sweep();
    await addSettings({ PAYLOAD_KEY: NEXT_KEY, PAYLOAD_KEY_VERSION: '2', PAYLOAD_KEY_PREVIOUS: PAYLOAD_KEY });
    const [before] = await binaries();
    await world.sweep();
    const [after] = await binaries();
    expect(after?.id).not.toBe(before?.id);
    world.asked();
    await world.sweep();
    expect((await binaries())[0]?.id).toBe(after?.id);
    await addSettings({ PAYLOAD_KEY_PREVIOUS: '' });
    expect((await ask(await clinician(), await request())).status).toBe(200);
  });

  test('what cannot be understood is written down, and nothing of it', async () => {
    const { authorization, id } = await practitioner('ADMIN');
    const answer = await ask(authorization, { token: 'Janeway', purpose: 'Curiosity', reason: '' });
    expect(answer.status).toBe(400);
    expect(await lastReveal()).toMatchObject({
      subtype: [{ code: 'invalid' }],
      outcome: '4',
      outcomeDesc: 'input-invalid',
      agent: [{ who: { reference: `Practitioner/${id}` } }, {}],
    });
    expect(JSON.stringify([answer.body, await lastReveal()])).not.toMatch(/Janeway|Curiosity/);
  });

  test('with SYNC_ENABLED=false nothing is shown, and nothing read', async () => {
    const who = await clinician();
    const given = await request();
    await addSettings({ SYNC_ENABLED: 'false' });
    world.asked();
    expect(await ask(who, given)).toMatchObject({ status: 200, body: { off: true } });
    expect(world.asked()).toEqual([]);
  });

  test('without the key nothing is shown', async () => {
    const who = await clinician();
    await addSettings({ PAYLOAD_KEY: '' });
    expect(reasonOf(await ask(who, await request()))).toBe('no-key');
  });

  test('nothing identifying is in the trail, in what the bots print, or on the wire', async () => {
    await ask(await clinician(), await request());
    await ask((await practitioner('ADMIN')).authorization, { ...(await request()), breakGlass: true });
    await ask((await practitioner('RESEARCHER')).authorization, await request());
    const events = await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source');
    // The platform names practitioners in its own events; ours name nobody.
    expect(JSON.stringify(await reveals())).not.toContain('Zimmerman');
    const told = JSON.stringify([events, source().botRuns.map(({ output }) => output), world.sent()]);
    for (const secret of ['Janeway', 'Doe', '1971-03-04', 'MRN-Doe-77', 'unconscious']) {
      expect(told).not.toContain(secret);
    }
  });
});

describe('broken glass', () => {
  const broken = async (): Promise<unknown> => ({ token: await tokenOf(), purpose: 'BTG', reason: REASON });

  beforeEach(async () => {
    // A Consent that lets the copy be made, for a purpose that is not an ADMIN's.
    await source().repo.updateResource<Consent>({
      ...given,
      provision: {
        ...given.provision,
        actor: [{ role: { coding: [{ code: 'IRCP' }] }, reference: { reference: 'Organization/none' } }],
      },
    });
    await addSettings({ REPLICA_ACTORS: 'Organization/none' });
    await world.settle();
  });

  test('an ADMIN sees without consent, and that is an alert', async () => {
    const { authorization, id } = await practitioner('ADMIN');
    const plain = await ask(authorization, { token: await tokenOf(), purpose: 'TREAT', reason: REASON });
    expect(reasonOf(plain)).toBe('consent-actor');
    const answer = await ask(authorization, await broken());
    expect(answer.body).toMatchObject({ id: patient.id });
    expect(await lastReveal()).toMatchObject({
      outcome: '0',
      subtype: [{ code: 'break-glass' }],
      extension: [{ url: SEVERITY, valueCode: 'alert' }],
      purposeOfEvent: [{ coding: [{ code: 'BTG' }] }],
      agent: [{ who: { reference: `Practitioner/${id}` }, role: [{ coding: [{ code: 'ADMIN' }] }] }, {}],
    });
  });

  test('is listed for an ADMIN, with the reason in plain words', async () => {
    const admin = await practitioner('ADMIN');
    await ask(admin.authorization, await broken());
    await ask(await clinician(), await broken());
    const { status, body } = await ask(admin.authorization, { action: 'list' });
    expect(status).toBe(200);
    expect(body.broken).toHaveLength(2);
    expect(body.broken?.map(({ outcome }) => outcome).sort()).toEqual(['break-glass-role', 'revealed']);
    expect(body.broken?.find(({ outcome }) => outcome === 'revealed')).toMatchObject({
      requester: `Practitioner/${admin.id}`,
      role: 'ADMIN',
      patient: `Patient/${patient.id}`,
      token: await tokenOf(),
      purposes: ['BTG'],
      reason: REASON,
    });
    expect(await lastReveal()).toMatchObject({ subtype: [{ code: 'list' }], outcome: '0' });
  });

  test('is listed for nobody else', async () => {
    const answer = await ask(await clinician(), { action: 'list' });
    expect([answer.status, reasonOf(answer)]).toEqual([400, 'no-role']);
    expect(await lastReveal()).toMatchObject({ subtype: [{ code: 'list' }], outcome: '4' });
  });
});

async function operator(): Promise<string> {
  const client = await source().createClient('operator');
  return `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
}

async function rawOf(id: string): Promise<string> {
  const url = `${source().baseUrl}fhir/R4/Binary/${id}`;
  return (await fetch(url, { headers: { authorization: await operator() } })).text();
}

async function put(id: string, body: string): Promise<void> {
  const headers = { authorization: await operator(), 'content-type': 'application/jose' };
  await fetch(`${source().baseUrl}fhir/R4/Binary/${id}`, { method: 'PUT', headers, body });
}
