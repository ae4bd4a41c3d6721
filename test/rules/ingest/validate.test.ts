/** What a record has to have: each rule by a record that breaks it and nothing else, and the same record whole. */
import { describe, expect, test } from 'vitest';
import { normal } from '../../../src/rules/ingest/normal.ts';
import { shapeProblem } from '../../../src/rules/ingest/shape.ts';
import { safePath, validate } from '../../../src/rules/ingest/validate.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';

const { namespace, sync } = systemsOf();
const subject = { reference: 'Patient/pt_x' };
const concept = { text: 'a thing' };
const loinc = (code: string): object => ({ coding: [{ system: 'http://loinc.org', code }] });

const WHOLE: Record<string, Record<string, unknown>> = {
  Patient: { identifier: [{ system: 'urn:oid:1.2', value: '1' }], name: [{ family: 'Quux' }], gender: 'other' },
  Encounter: { status: 'finished', class: { code: 'AMB' }, subject },
  Observation: { status: 'final', code: loinc('718-7'), subject, valueString: 'x' },
  Condition: { code: concept, category: [concept], subject },
  AllergyIntolerance: { code: concept, patient: subject },
  ServiceRequest: { status: 'active', intent: 'order', code: concept, subject },
  CarePlan: { status: 'active', intent: 'plan', category: [concept], subject },
  MedicationRequest: { status: 'active', intent: 'order', medicationCodeableConcept: concept, subject },
  Procedure: { status: 'completed', code: concept, subject, performedDateTime: '2024-01-01' },
  Immunization: { status: 'completed', vaccineCode: concept, patient: subject, occurrenceDateTime: '2024-01-01' },
  DiagnosticReport: { status: 'final', category: [concept], code: concept, subject },
  DocumentReference: {
    status: 'current',
    type: concept,
    category: [concept],
    subject,
    content: [{ attachment: { url: 'https://ehr.example/1' } }],
  },
};

const check = (resourceType: string, more: object = {}): string[] =>
  validate(normal(asSent({ resourceType, ...WHOLE[resourceType], ...more })), namespace).map(({ code, expression }) =>
    `${code} ${expression ?? ''}`.trim()
  );
/** JSON has no undefined. */
const asSent = (record: object): Record<string, unknown> =>
  JSON.parse(JSON.stringify(record)) as Record<string, unknown>;

describe.each(Object.keys(WHOLE))('%s', (type) => {
  test('is taken whole', () => expect(check(type)).toEqual([]));
  test.each(
    Object.keys(WHOLE[type] ?? {}).filter(
      (name) => !/^(valueString|performedDateTime|occurrenceDateTime|medication)/.test(name)
    )
  )('not without %s', (name) => expect(check(type, { [name]: undefined })).toContain(`required ${type}.${name}`));
});

test.each<[string, object, string]>([
  ['Observation', { status: 'done' }, 'code-invalid Observation.status'],
  ['Observation', { code: loinc('718-8') }, 'code-invalid Observation.code.coding[0].code'],
  [
    'Observation',
    { code: { coding: [{ system: 'not-a-valid-url', code: '1' }] } },
    'invalid Observation.code.coding[0].system',
  ],
  ['Observation', { code: { coding: [{ display: 'x' }] } }, 'required Observation.code'],
  ['Observation', { valueString: undefined }, 'required Observation.value[x]'],
  ['Observation', { code: loinc('8867-4') }, 'required Observation.effective[x]'],
  ['Observation', { code: loinc('85354-9'), component: [] }, 'required Observation.effective[x]'],
  [
    'Observation',
    { code: loinc('8310-5'), effectiveDateTime: '2024-01-01', valueQuantity: { value: 37, unit: 'kg' } },
    'code-invalid Observation.valueQuantity.code',
  ],
  [
    'Observation',
    { component: [{ code: loinc('8480-6'), valueQuantity: { value: 1, unit: 'Pa' } }] },
    'code-invalid Observation.component[0].valueQuantity.code',
  ],
  [
    'Observation',
    { valueQuantity: { value: 1, system: 'http://unitsofmeasure.org' } },
    'required Observation.valueQuantity.code',
  ],
  ['Encounter', { class: { system: 'http://test.com' } }, 'required Encounter.class.code'],
  ['Procedure', { performedDateTime: undefined }, 'required Procedure.performed[x]'],
  ['Immunization', { occurrenceDateTime: undefined }, 'required Immunization.occurrence[x]'],
  ['MedicationRequest', { medicationCodeableConcept: undefined }, 'required MedicationRequest.medication[x]'],
  ['DocumentReference', { content: [{ attachment: {} }] }, 'required DocumentReference.content.attachment'],
  [
    'DocumentReference',
    { content: [{ attachment: { url: 'Binary/5c2ffb1c-9a1d-4f3c-8d0e-111111111111' } }] },
    'security DocumentReference.content[0].attachment.url',
  ],
  ['Patient', { name: [{ use: 'official' }] }, 'required Patient.name'],
  ['Patient', { identifier: [{ value: '1' }] }, 'required Patient.identifier'],
  ['Patient', { extension: [{ url: `${sync}`, valueCode: 'no-sync' }] }, 'security Patient.extension[0]'],
  ['Group', {}, 'not-supported'],
  ['constructor', {}, 'not-supported'],
])('%s with %j: %s', (type, more, expected) => expect(check(type, more)).toContain(expected));

test('a contact point’s system is a code, not a URI', () =>
  expect(check('Patient', { telecom: [{ system: 'phone', value: '555' }] })).toEqual([]));

test('an Observation without a result that was cancelled is taken', () =>
  expect(check('Observation', { valueString: undefined, status: 'cancelled' })).toEqual([]));

test('a path tells names of R4 and nothing else', () => {
  expect(safePath('Observation.code.coding[3].system')).toBe('Observation.code.coding[3].system');
  expect(safePath('Observation.janeDoe.system')).toBe('Observation');
  expect(safePath('JaneDoe.code')).toBe('Resource.code');
});

describe('normal', () => {
  test('leaves what it does not know, and units of others', () => {
    const record = { resourceType: 'Observation', code: loinc('718-7'), valueQuantity: { value: 1, unit: 'g/dL' } };
    expect(normal(record)).toEqual(record);
    const other = {
      resourceType: 'Observation',
      code: loinc('8310-5'),
      category: [],
      valueQuantity: { unit: 'Cel', system: 'urn:x' },
    };
    expect(normal(other)).toEqual(other);
  });
});

describe('shape', () => {
  test.each<[string, string]>([
    ['{"a":{"__proto__":{"isAdmin":true}}}', 'element-name'],
    ['{"constructor":{}}', 'element-name'],
    ['{"toJSON":1}', 'element-name'],
    ['{"a b":1}', 'element-name'],
    ['{"a":"\\u0000"}', 'text-encoding'],
    ['{"a":"\\ud800"}', 'text-encoding'],
    ['{"a":[1e400]}', 'number-range'],
    ['{"a":1e300}', 'number-range'],
    ['[[[[[[1]]]]]]', 'too-deep'],
  ])('%s: %s', (text, problem) => expect(shapeProblem(JSON.parse(text), 5)).toBe(problem));

  test('what is good is good: pairs, primitive extensions, line feeds', () =>
    expect(shapeProblem({ a: '😀\n', _birthDate: { extension: [] }, b: [1, null, true] }, 5)).toBeUndefined());

  test('a hundred thousand levels are too deep, and no end of the stack', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) {
      deep = { a: deep };
    }
    expect(shapeProblem(deep, 32)).toBe('too-deep');
  });
});
