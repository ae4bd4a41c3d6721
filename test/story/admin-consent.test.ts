/** Consents by the bot `admin`: given, shown, taken back, proved, and what follows on the replica. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Consent } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askBot, coded, practitioner, reasonOf } from '../support/callers.ts';
import type { Answer } from '../support/callers.ts';
import { admit, all, consent, copies, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const NOBODY = 'pt_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx';

let world: World;
let person: Awaited<ReturnType<typeof admit>>;
let admin: string;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  person = await admit(world);
  admin = await practitioner(world, coded('ADMIN'));
  await world.settle();
});
afterAll(async () => {
  await world.close();
});

const ask = async (input: object): Promise<Answer> => askBot(world, 'admin', admin, input);
const classesOf = ({ body }: Answer): string[] =>
  (body['classes'] as { class: string; decision: string }[])
    .filter(({ decision }) => decision === 'permit')
    .map((row) => row.class);
const consents = async (): Promise<WithId<Consent>[]> => all<Consent>(world.sandbox, 'Consent', 'source');
const trail = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_ADMIN');

describe('one patient, from consent to proof', () => {
  test('before anything, nothing is permitted', async () => {
    const answer = await ask({ action: 'consent/show', patient: person.patient.id });
    expect([answer.status, answer.body['consents'], classesOf(answer)]).toEqual([200, [], []]);
  });

  test('a dry run writes nothing', async () => {
    const { status } = await ask({ action: 'consent/grant', patient: person.patient.id, dryRun: true });
    expect([status, await consents()]).toEqual([200, []]);
  });

  test('a grant is written properly, and the replica fills with what it names', async () => {
    const answer = await ask({
      action: 'consent/grant',
      patient: `Patient/${person.patient.id}`,
      classes: ['DEMOGRAPHICS', 'VITAL_SIGNS'],
      until: '2999-12-31',
      actors: 'Organization/1',
    });
    expect(answer.body).toMatchObject({ changed: [{ result: 'written' }], problems: [], findings: [] });
    const [written] = await consents();
    expect(written).toMatchObject({
      status: 'active',
      patient: { reference: `Patient/${person.patient.id}` },
      provision: { period: { end: '2999-12-31' }, actor: [{ reference: { reference: 'Organization/1' } }] },
    });
    await world.settle();
    // The actor is not the replica.
    expect(await copies(world)).toMatchObject({ Patient: 0 });
    await ask({ action: 'consent/grant', patient: person.patient.id, classes: 'DEMOGRAPHICS,VITAL_SIGNS' });
    await world.settle();
    expect(await copies(world)).toMatchObject({ Patient: 1, Encounter: 0, Observation: 1 });
  });

  test('is written to the trail before and after, with whom it is about', async () => {
    const events = (await trail()).filter(({ subtype }) => subtype?.[0]?.code === 'consent/grant');
    expect(events.slice(-2)).toMatchObject([
      { outcome: '0', outcomeDesc: 'begun', action: 'E' },
      { outcome: '0', outcomeDesc: 'done', action: 'E' },
    ]);
    for (const event of events.slice(-2)) {
      expect(event.entity?.[1]?.what?.reference).toBe(`Patient/${person.patient.id}`);
      expect(event.entity?.[0]?.detail).toContainEqual({ type: 'classes', valueString: 'DEMOGRAPHICS,VITAL_SIGNS' });
    }
  });

  test('the patient can be named by the token of the replica', async () => {
    const [link] = await all(world.sandbox, 'Patient', 'replica');
    token = (link as { identifier?: { value: string }[] }).identifier?.[0]?.value ?? '';
    const answer = await ask({ action: 'consent-show', patient: token });
    expect(answer.body).toMatchObject({ patient: `Patient/${person.patient.id}` });
    expect(classesOf(answer)).toEqual(['DEMOGRAPHICS', 'VITAL_SIGNS']);
  });

  test('a class is taken back, and its copies go', async () => {
    const dry = await ask({ action: 'consent/revoke', patient: token, classes: ['VITAL_SIGNS'], dryRun: true });
    expect((dry.body['changed'] as { result: string }[]).map(({ result }) => result)).toEqual([
      'would be narrowed',
      'would be narrowed',
    ]);
    const answer = await ask({ action: 'consent/revoke', patient: token, classes: ['VITAL_SIGNS'] });
    expect([classesOf(answer), answer.body['problems']]).toEqual([['DEMOGRAPHICS'], []]);
    await world.settle();
    expect(await copies(world)).toMatchObject({ Patient: 1, Observation: 0 });
  });

  test('what a Consent with provisions of its own still permits is a problem', async () => {
    const own = await consent(world, person.patient);
    const { provision, ...rest } = own;
    await world.sandbox.source.repo.updateResource<Consent>({
      ...rest,
      provision: { ...provision, type: 'permit', dataPeriod: { start: '1900-01-01' } },
    });
    const answer = await ask({ action: 'consent/revoke', patient: person.patient.id });
    expect(answer.body['problems']).toEqual([expect.stringMatching(/^Still permitted: .*DEMOGRAPHICS/)]);
    await world.sandbox.source.repo.deleteResource('Consent', own.id);
    await world.settle();
    expect(await copies(world)).toMatchObject({ Patient: 0, Observation: 0 });
  });

  test('the proof tells what was shared and erased, as JSON and as a page, and names nobody', async () => {
    const json = await ask({ action: 'consent-proof', token });
    expect(json.body).toMatchObject({ patient: token });
    expect(json.body['shared']).toBeGreaterThan(1);
    expect(json.body['erased']).toBe(json.body['shared']);
    const page = await ask({ action: 'consent/proof', token, format: 'page' });
    expect(page.body['page']).toMatch(/^<!doctype html>.*Consent proof/);
    expect(JSON.stringify([json.body, page.body])).not.toMatch(new RegExp(`Doe|Janeway|MRN|${person.patient.id}`));
    expect((await trail()).at(-1)?.entity?.[1]?.what?.identifier?.value).toBe(token);
  });

  test('what is ambiguous in a Consent is said, with how to write it', async () => {
    await world.sandbox.source.repo.createResource<Consent>({
      resourceType: 'Consent',
      status: 'active',
      scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
      category: [{ coding: [{ system: 'http://loinc.org', code: '59284-6' }] }],
      patient: { reference: `Patient/${person.patient.id}` },
      policyRule: { coding: [{ code: 'OPTIN' }] },
      provision: { type: 'permit' },
    });
    const { body } = await ask({ action: 'consent/lint', patient: person.patient.id });
    expect(body['findings']).toMatchObject([
      { path: 'Consent.provision.purpose', code: 'no-purpose', advice: expect.stringContaining('TREAT') as string },
    ]);
  });
});

describe('what cannot be done', () => {
  test.each([
    [{ patient: '00000000-0000-4000-8000-000000000000' }, 'not-found', undefined],
    [{ patient: NOBODY }, 'not-found', undefined],
    [{ patient: 'urn:mrn|MRN-Doe-77' }, 'invalid', 'patient must be Patient/<id>, an id, or a token such as pt_…'],
    [{}, 'invalid', 'patient is missing'],
    [
      { patient: 'a', classes: ['GENETICS'] },
      'invalid',
      expect.stringMatching(/^classes holds one that must be one of/),
    ],
    [{ patient: 'a', classes: [] }, 'invalid', 'classes must hold 1 to 100'],
    [{ patient: 'a', until: 'tomorrow' }, 'invalid', 'until must be a FHIR date, such as 2026-12-31'],
    [{ patient: 'a', actors: ['Janeway Doe'] }, 'invalid', 'actors holds one that must be a reference'],
    [{ patient: 'a', dryRun: 'Janeway' }, 'invalid', 'dryRun must be true or false'],
  ] as const)('%j: %s', async (parameters, code, reason) => {
    const answer = await ask({ action: 'consent/grant', ...parameters });
    expect([answer.status, answer.body.issue?.[0]?.code, reasonOf(answer)]).toEqual([400, code, reason]);
    const last = (await trail()).at(-1);
    expect(last).toMatchObject({ subtype: [{ code: 'consent/grant' }], outcome: '4' });
    expect(JSON.stringify([answer.body, last])).not.toMatch(/Janeway|Doe|MRN/);
  });

  test('a purpose or day that there is not', async () => {
    const answer = await ask({
      action: 'consent/grant',
      patient: person.patient.id,
      purpose: 'Janeway',
      until: '2026-13-45',
    });
    expect(answer.body.issue?.slice(1).map(({ details }) => details.text)).toEqual([
      expect.stringMatching(/^until must be/),
      expect.stringMatching(/^purpose must be/),
    ]);
  });

  test('the proof of nobody', async () => {
    expect((await ask({ action: 'consent/proof', token: NOBODY })).body.issue?.[0]?.code).toBe('not-found');
  });
});

test('what cannot be written down is not done', async () => {
  const before = await consents();
  world.sandbox.source.faults.failNext({ method: 'POST', url: /AuditEvent/ }, { status: 403 });
  const answer = await ask({ action: 'consent/grant', patient: person.patient.id });
  expect([answer.status, answer.body.issue?.[0]?.code]).toEqual([400, 'forbidden']);
  expect(await consents()).toEqual(before);
  expect((await trail()).at(-1)).toMatchObject({ outcome: '8', outcomeDesc: 'source-refused' });
});
