import type { Patient } from '@medplum/fhirtypes';
import { describe, expect, it } from 'vitest';
import { transform } from '../../../src/rules/deid/deidentify.ts';
import { patientKeys } from '../../../src/rules/deid/keys.ts';
import { residue } from '../../../src/rules/deid/residue.ts';
import { factsOf, sweep } from '../../../src/rules/deid/sweep.ts';
import { AT, aContext, anObservation, aPatient, HL7, KEY, LOINC, SNOMED, SYSTEMS, UCUM } from './support.ts';

type Draft = Record<string, unknown>;
const keys = patientKeys(KEY, String(aPatient().id));
const facts = factsOf(aPatient());
const POLICY = { profile: 'pseudonymised', at: AT } as const;

function draftOf(source = anObservation() as object): Draft {
  return structuredClone(transform(source as never, aContext())) as Draft;
}
const check = (draft: Draft, source: object = anObservation()): unknown =>
  residue(draft, { keys, systems: SYSTEMS, ...POLICY, facts, source: source as never });

function nested(depth: number): Draft {
  return depth === 0 ? { a: 'x' } : { a: nested(depth - 1) };
}

it('passes what the transform makes', () => {
  expect(check(draftOf())).toBeUndefined();
  expect(check(draftOf(aPatient()), aPatient())).toBeUndefined();
});

/** Each line is a bug of the transform; without the check that it names, the line would pass. */
describe('finds, were the transform wrong:', () => {
  it.each<[string, Draft, string]>([
    ['a display', { code: { coding: [{ system: LOINC, code: '8302-2', display: 'Body Height' }] } }, 'residue-element'],
    ['a text', { code: { text: 'Body Height' } }, 'residue-element'],
    ['a note', { note: [{ text: 'x' }] }, 'residue-element'],
    ['an id', { id: 'o-1' }, 'residue-element'],
    ['a name on an Observation', { name: [{ family: 'x' }] }, 'residue-element'],
    ['a contained resource', { contained: [{ resourceType: 'Patient' }] }, 'residue-element'],
    ['another extension', { extension: [{ url: 'http://x', valueCode: 'masked' }] }, 'residue-element'],
    [
      'more in the mask',
      {
        extension: [
          { url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'masked', valueString: 'x' },
        ],
      },
      'residue-element',
    ],
    ['an empty list', { category: [] }, 'residue-element'],
    ['a list in a list', { category: [['x']] }, 'residue-element'],
    ['a type that is none', { resourceType: 'quillfeather x' }, 'residue-shape'],
    [
      'a token of ours under the wrong system',
      { identifier: [{ system: SYSTEMS.patientToken, value: keys.token('Observation', 'o-1') }] },
      'residue-reference',
    ],
    [
      'a source id under our system',
      { identifier: [{ system: SYSTEMS.resourceToken, value: 'obs_7c1e2a90' }] },
      'residue-reference',
    ],
    ['a null', { category: null }, 'residue-element'],
    ['a number that is none', { valueInteger: Infinity }, 'residue-element'],
    ['endless depth', nested(14), 'residue-element'],
    ['the source date', { effectiveDateTime: '2019-02-03T16:48:38-05:00' }, 'residue-date'],
    ['the source date in UTC', { effectiveDateTime: '2019-02-03T21:48:38Z' }, 'residue-date'],
    ['the source day', { effectiveDateTime: '2019-02-03' }, 'residue-date'],
    ['the birth date', { valueDateTime: '1971-04-05' }, 'residue-date'],
    ['a date shifted otherwise', { effectiveDateTime: '2019-09-09T00:00:00Z' }, 'residue-date'],
    ['a private system', { code: { coding: [{ system: 'urn:oid:1.2.3', code: '8302-2' }] } }, 'residue-shape'],
    [
      'an identifier system',
      { code: { coding: [{ system: 'http://hospital.example/mrn', code: 'x' }] } },
      'residue-shape',
    ],
    ['an e-mail', { status: 'a@b.example' }, 'residue-shape'],
    ['a URL', { status: 'https://x' }, 'residue-shape'],
    ['white space', { status: 'two words' }, 'residue-shape'],
    ['an SSN', { status: '123-45-6789' }, 'residue-shape'],
    ['a ZIP+4', { status: '02149-1234' }, 'residue-shape'],
    ['a ZIP', { status: '02149' }, 'residue-shape'],
    ['a telephone number', { status: '617-555-0100' }, 'residue-shape'],
    ['a short telephone number', { status: '555-0100' }, 'residue-shape'],
    ['a UUID', { status: '7c1e2a90-1111-4222-8333-a1b2c3d4e5f6' }, 'residue-shape'],
    ['an IP address', { status: '10.1.2.3' }, 'residue-shape'],
    ['a long text', { status: 'x'.repeat(65) }, 'residue-shape'],
    [
      'a number as a HL7 code',
      { category: [{ coding: [{ system: `${HL7}observation-category`, code: '00418812' }] }] },
      'residue-shape',
    ],
    ['a literal reference', { subject: { reference: 'Patient/7c1e2a90' } }, 'residue-reference'],
    [
      'a conditional reference by MRN',
      { subject: { reference: 'Patient?identifier=http://hospital.example/mrn|MRN-00418812' } },
      'residue-reference',
    ],
    [
      'a token under the wrong system',
      { subject: { reference: `Patient?identifier=${SYSTEMS.resourceToken}|${keys.patientToken}` } },
      'residue-reference',
    ],
    [
      'two identifiers',
      {
        identifier: [
          { system: SYSTEMS.resourceToken, value: keys.token('Observation', 'o-1') },
          { system: 'x', value: 'y' },
        ],
      },
      'residue-reference',
    ],
    [
      'a source identifier',
      { identifier: [{ system: 'http://hospital.example/mrn', value: 'MRN-00418812' }] },
      'residue-reference',
    ],
    [
      'an identifier with a type',
      { identifier: [{ system: SYSTEMS.resourceToken, value: keys.token('Observation', 'o-1'), use: 'usual' }] },
      'residue-reference',
    ],
    [
      'a name as a code',
      { category: [{ coding: [{ system: `${HL7}observation-category`, code: 'Quillfeather' }] }] },
      'residue-sweep',
    ],
    ['a name, otherwise written', { status: 'QUILLFEATHER' }, 'residue-sweep'],
    ['a name inside a code', { status: 'x-ottoline-x' }, 'residue-sweep'],
    ['a city', { status: 'Everett' }, 'residue-sweep'],
    [
      'an identifier as a code',
      { category: [{ coding: [{ system: `${HL7}observation-category`, code: 'MRN00418812' }] }] },
      'residue-sweep',
    ],
    ['an SSN as a SNOMED code', { category: [{ coding: [{ system: SNOMED, code: '999418877' }] }] }, 'residue-sweep'],
    ['a name as a unit', { valueQuantity: { value: 1, system: UCUM, code: '{Quillfeather}' } }, 'residue-sweep'],
    ['an e-mail as a unit', { valueQuantity: { value: 1, system: UCUM, code: '{a@b}' } }, 'residue-shape'],
  ])('%s', (_name, bug, hit) => {
    expect(check({ ...draftOf(), ...bug })).toBe(hit);
  });

  it.each<[string, Draft, string]>([
    ['the birth date', { birthDate: '1971-04-05' }, 'residue-date'],
    ['the birth month', { birthDate: '1971-04' }, 'residue-date'],
    ['the birth year', { birthDate: '1971' }, 'residue-date'],
    ['a band that is not the patient’s', { birthDate: '1960' }, 'residue-date'],
    ['a name', { name: [{ text: 'Patient [QUI]', family: 'Quillfeather', given: ['***'] }] }, 'residue-element'],
    ['an address', { address: [{ state: 'MA' }] }, 'residue-element'],
  ])('on a Patient, %s', (_name, bug, hit) => {
    expect(check({ ...draftOf(aPatient()), ...bug }, aPatient())).toBe(hit);
  });

  it('an identifier of the patient spelt like a token', () => {
    const raw = 'bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx';
    const own = factsOf(aPatient({ id: raw }));
    const draft = { ...draftOf(), identifier: [{ system: SYSTEMS.resourceToken, value: `obs_${raw}` }] };
    expect(residue(draft, { keys, systems: SYSTEMS, ...POLICY, facts: own, source: anObservation() })).toBe(
      'residue-sweep'
    );
  });
});

it('finds an identifier of the patient spelt like the token of a reference', () => {
  const raw = 'bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx';
  const draft = { ...draftOf(), encounter: { reference: `Encounter?identifier=${SYSTEMS.resourceToken}|enc_${raw}` } };
  const own = factsOf(aPatient({ id: raw }));
  expect(residue(draft, { keys, systems: SYSTEMS, ...POLICY, facts: own, source: anObservation() })).toBe(
    'residue-sweep'
  );
});

it('lets a month pass, which no day can be read from, and a source with nulls', () => {
  expect(check({ ...draftOf(), effectiveDateTime: '2019-03' })).toBeUndefined();
  expect(check(draftOf(), { ...anObservation(), unknown: null, list: [null, 1] })).toBeUndefined();
});

describe('does not take chance for a leak:', () => {
  const named = (family: string, given = 'Will'): Patient => aPatient({ name: [{ family, given: [given] }] });

  it.each([
    'Final',
    'Laboratory',
    'Fever',
    'Loc',
    'Amb',
    'Male',
    'Ng',
    'Min',
    'Mol',
    'Kg',
    'Loinc',
    'Snomed',
    'Info',
    'Patient',
    'Observation',
    'Unknown',
    'Org',
    'Identifier',
    'Masked',
    'Vital',
  ])('a patient named %s', (family) => {
    const patient = named(family, 'May');
    const observation = anObservation({ valueQuantity: { value: 3, system: UCUM, code: 'ng/mL', unit: 'ng/mL' } });
    expect(transformAndCheck(observation, patient)).toBeUndefined();
    expect(transformAndCheck(patient, patient)).toBeUndefined();
  });

  it('a short MRN inside a SNOMED code, and a number equal to it', () => {
    const patient = aPatient({ identifier: [{ value: '345009' }, { value: '12345' }] });
    const observation = anObservation({
      valueQuantity: { value: 12345, system: UCUM, code: 'cm' },
      bodySite: { coding: [{ system: SNOMED, code: '185345009' }] },
    });
    expect(transformAndCheck(observation, patient)).toBeUndefined();
  });

  it('a shifted date that equals another date of the patient', () => {
    const source = anObservation({ effectiveDateTime: '2019-02-03' });
    const patient = aPatient({
      birthDate: new Date(Date.parse('2019-02-03') + keys.shiftDays * 86_400_000).toISOString().slice(0, 10),
    });
    expect(transformAndCheck(source, patient)).toBeUndefined();
  });

  function transformAndCheck(source: object, patient: Patient): unknown {
    const draft = transform(source as never, aContext({ patient })) as Draft;
    expect(draft).toBeTypeOf('object');
    return residue(draft, { keys, systems: SYSTEMS, ...POLICY, facts: factsOf(patient), source: source as never });
  }
});

it('learns names from extensions and relatives, and folds accents', () => {
  const own = factsOf(
    aPatient({
      name: [{ family: 'Peña' }],
      contact: [{ name: { family: 'Zubrowka' } }],
      extension: [
        {
          url: 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName',
          valueString: 'Marquetta Schamberger',
        },
      ],
    })
  );
  expect(['PENA', 'peña', 'zubrowka', 'Schamberger'].map((each) => sweep(each, own))).toEqual([true, true, true, true]);
});

/** Said here again, name by name: whichever name is struck off the list, a line fails. */
describe('never lets an element pass that is called', () => {
  const names =
    'id display div telecom photo contact contained note modifierExtension line city district state postalCode valueString valueUri valueUrl ' +
    'valueBase64Binary valueAttachment comment description title data url patientInstruction conclusion presentedForm version versionId lastUpdated ' +
    'source author project account compartment implicitRules userSelected timeOfDay dayOfWeek valueTime link generalPractitioner managingOrganization ' +
    'performer individual serviceProvider recorder asserter requester custodian authenticator location manufacturer careTeam onBehalfOf onsetString ' +
    'abatementString performedString occurrenceString scheduledString authorString lotNumber series documentType progress requisition groupIdentifier ' +
    'masterIdentifier alias position securityLabel expirationDate hash instantiatesUri instantiatesCanonical text name';
  it.each(names.split(' '))('%s', (name) => {
    if (name !== 'securityLabel') expect(check({ ...draftOf(), [name]: true })).toBe('residue-element');
    expect(check({ ...draftOf(), category: [{ [name]: true }] })).toBe('residue-element');
  });
});

it('takes a type of a record for a code, and the type of a reference for a resource type', () => {
  expect(check({ ...draftOf(), type: 'allergy' })).toBeUndefined();
  const reference = { identifier: { system: SYSTEMS.resourceToken, value: keys.token('Condition', 'c') } };
  expect(check({ ...draftOf(), reasonReference: { ...reference, type: 'Condition' } })).toBeUndefined();
  expect(check({ ...draftOf(), reasonReference: { ...reference, type: 'allergy' } })).toBe('residue-shape');
});

it('finds a date of another element of the source, and a year that was not shifted so', () => {
  const source = { ...anObservation(), issued: '2015-01-01T00:00:00Z' };
  const { issued } = transform(source, aContext()) as { issued?: string };
  expect(check({ ...draftOf(source), effectiveDateTime: issued }, source)).toBe('residue-date');
  expect(check({ ...draftOf(), effectiveDateTime: '2013' })).toBe('residue-date');
  expect(check({ ...draftOf(), effectiveDateTime: '2020' })).toBeUndefined();
});

it('asks for a name anew in each system, however often a code was found clean', () => {
  const own = factsOf(aPatient());
  const judged = (system: string, code: string): unknown =>
    residue(
      { ...draftOf(), category: [{ coding: [{ system, code }] }] },
      { keys, systems: SYSTEMS, ...POLICY, facts: own, source: anObservation() }
    );
  expect(judged(LOINC, '999418877')).toBe('residue-sweep');
  expect(judged(LOINC, '8302-2')).toBeUndefined();
  expect(judged(LOINC, '8302-2')).toBeUndefined();
  expect(judged('http://private.example', '8302-2')).toBe('residue-shape');
});
