/** Records made to get something out: through the preview, under both profiles, nothing of the patient's may be in what leaves. */
import { describe, expect, it } from 'vitest';
import { DEID_REASONS } from '../../src/rules/deid/reasons.ts';
import { aPatient, HL7, LOINC, SNOMED, UCUM } from '../rules/deid/support.ts';
import { preview } from './kit.ts';

const PATIENT = aPatient({
  id: 'p1',
  birthDate: '1971-03-04',
  telecom: [{ system: 'phone', value: '(555) 123-4567' }],
  identifier: [
    { system: 'http://hospital.example/mrn', value: 'MRN-0041881' },
    { system: 'http://hl7.org/fhir/sid/us-ssn', value: '999-41-8877' },
  ],
});
/** What of the patient must not be found, in any of the ways in which it is tried below. */
const SECRET =
  /ottoline|quillfeather|larkspur|everett|5551234|555.?123.?4567|999.?41.?8877|0041881|mrn-|19710304|1971-03-04|3041971|4031971|710304|02149|Q\u0443ill|__proto__|constructor|toString/i;
const SUBJECT = { reference: 'Patient/p1' };
const NORMAL = { coding: [{ system: LOINC, code: '8867-4' }] };

interface Attack {
  readonly name: string;
  /** JSON: some of what is tried cannot be held by an object. */
  readonly text: string;
}
let made = 0;
function attack(name: string, change: object): Attack {
  made += 1;
  const record = {
    resourceType: 'Observation',
    id: `o${String(made)}`,
    status: 'final',
    code: NORMAL,
    subject: SUBJECT,
  };
  return { name, text: JSON.stringify({ ...record, ...change }) };
}
/** Members of the record, its code and its subject, as text: JSON knows names that an object literal treats otherwise. */
function raw(name: string, member: string): Attack {
  const coding = `{"system":"${LOINC}","code":"8867-4",${member}}`;
  return {
    name,
    text: `{"resourceType":"Observation","id":"r1","status":"final",${member},"code":{"coding":[${coding}],${member}},"subject":{"reference":"Patient/p1",${member}}}`,
  };
}

const NUMBERS = [
  5551234567, 15551234567, 5551234, 999418877, 19710304, 3041971, 4031971, 710304, 41881, -5551234567, 555123.4567,
  5551234567.5, 9994188770000,
];
const numbers = NUMBERS.flatMap((value) => [
  attack(`${String(value)} as a quantity`, { valueQuantity: { value, unit: 'x', system: UCUM, code: 'mg' } }),
  attack(`${String(value)} as an integer`, { valueInteger: value }),
  attack(`${String(value)} in a ratio`, { valueRatio: { numerator: { value }, denominator: { value: 1 } } }),
  attack(`${String(value)} in a range`, {
    component: [{ code: NORMAL, valueRange: { low: { value }, high: { value } } }],
  }),
  attack(`${String(value)} in a timing`, {
    effectiveTiming: { repeat: { count: value, frequency: value, period: value, periodUnit: 'd' } },
  }),
  attack(`${String(value)} in sampled data`, {
    valueSampledData: { origin: { value }, period: value, dimensions: 1, factor: value, data: 'Ottoline' },
  }),
]);

const SYSTEMS = [
  LOINC,
  SNOMED,
  UCUM,
  'http://www.nlm.nih.gov/research/umls/rxnorm',
  ...['cvx', 'icd-10', 'icd-10-cm', 'icd-9-cm', 'ndc'].map((name) => `http://hl7.org/fhir/sid/${name}`),
  'http://www.ama-assn.org/go/cpt',
  'https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets',
  'http://nucc.org/provider-taxonomy',
  'http://www.whocc.no/atc',
  'urn:ietf:bcp:47',
  ...['v3-ActCode', 'service-type', 'constructor', '../../x'].map((name) => HL7 + name),
  '__proto__',
  'constructor',
];
const CODES = [
  '5551234567',
  '15551234567',
  '555-123-4567',
  '5551234',
  '555-1234',
  '999418877',
  '999-41-8877',
  '19710304',
  '1971-03-04',
  '0041881',
  '41881',
  '02149',
  'Quillfeather',
  'QUILLFEATHER',
  'Ottoline',
  'MRN-0041881',
  '__proto__',
  'constructor',
  'toString',
  '555.123.4567',
  '\ud800Ottoline',
  'Q\u0443illfeather',
  '8867\u20114',
  '８８６７-4',
  `Ottoline${'x'.repeat(100_000)}`,
];
const codes = SYSTEMS.flatMap((system) =>
  CODES.flatMap((code) => [
    attack(`${system}|${code.slice(0, 20)}`, { code: { coding: [{ system, code }] } }),
    attack(`${system}|${code.slice(0, 20)} as a value`, {
      valueCodeableConcept: { coding: [{ system, code, display: code }], text: code },
    }),
  ])
);

const units = [
  '555.123.4567',
  '999.41.8877',
  '{Ottoline}',
  'mg{Quillfeather}',
  '[Ottoline]',
  'm5.s5.g5.m1.s2.g3.m4.s5.g6.m7',
  '10*55.10*12.10*34',
  '5551234567',
  '1971.0304',
  'mg/(555.1234567)',
].map((unit) => attack(`unit ${unit}`, { valueQuantity: { value: 3, unit, system: UCUM, code: unit } }));

const dates = [
  '1971-03-04',
  '1971-03-04T00:00',
  '1971-03-04T00:00:00',
  '1971-03-04T00:00:00+14:00',
  '1971-03-04T00:00:00-12:00',
  '1971-03-04T24:00:00Z',
  '1971-02-30',
  '1971-3-4',
  '19710304',
  '0000-01-01',
  '9999-12-31',
  '9999-12-31T23:59:60Z',
  '1971-03-04T00:00:00.123456789Z',
  '1971-03-04T00:00:00+99:99',
  ' 1971-03-04',
  '1971-03-04 ',
  '1971-03-04Z',
  '１９７１-03-04',
].map((date) => attack(`date ${date}`, { effectiveDateTime: date, issued: date, valueDateTime: date }));

const REFERENCES = [
  'urn:uuid:Ottoline',
  'urn:oid:1.2',
  'Patient?identifier=http://hospital.example/mrn|MRN-0041881',
  '#p1',
  'http://hospital.example/fhir/Patient/p1',
  'Patient/p1/_history/Ottoline',
  'Patient/p1#Ottoline',
  'Patient/p1|1',
  '../Patient/p1',
  'Patient/Quillfeather',
  '/Patient/p1',
  'javascript:Patient/p1',
  'Patient/p1?x=Ottoline',
];
const references = REFERENCES.flatMap((reference) => [
  attack(`subject ${reference}`, { subject: { reference, display: 'Ottoline', type: 'Ottoline' } }),
  ...['encounter', 'specimen'].map((name) =>
    attack(`${name} ${reference}`, {
      [name]: { reference: reference.replace('Patient', 'Encounter'), display: 'Ottoline' },
    })
  ),
  ...['hasMember', 'derivedFrom', 'basedOn'].map((name) =>
    attack(`${name} ${reference}`, {
      [name]: [{ reference, display: 'Ottoline', identifier: { value: 'MRN-0041881' } }],
    })
  ),
]);

const TYPES: readonly unknown[] = [
  null,
  0,
  1,
  'Ottoline',
  true,
  [],
  {},
  [[]],
  [null],
  { coding: 'Ottoline' },
  { coding: [null, 'Ottoline', [], { system: {}, code: [] }] },
  [['Ottoline']],
  { reference: ['Ottoline'] },
  { value: 'Ottoline' },
  { value: { value: 5551234567 } },
];
const ELEMENTS =
  'status category code subject encounter effectiveDateTime effectivePeriod effectiveTiming issued valueQuantity valueRatio valueSampledData component referenceRange interpretation hasMember id resourceType meta identifier text contained extension';
const types = TYPES.flatMap((value) =>
  ELEMENTS.split(' ').map((name) => attack(`${name}: ${JSON.stringify(value)}`, { [name]: value }))
);

const depths = [50, 1_000, 10_000].flatMap((depth) => [
  raw(
    `${String(depth)} extensions deep`,
    `"extension":[${'{"url":"x","extension":['.repeat(depth)}{"valueString":"Ottoline"}${']}'.repeat(depth)}]`
  ),
  raw(`${String(depth)} lists deep`, `"category":${'['.repeat(depth)}"Ottoline"${']'.repeat(depth)}`),
  raw(
    `${String(depth)} components deep`,
    `"component":${'[{"component":'.repeat(depth)}"Ottoline"${'}]'.repeat(depth)}`
  ),
]);

const prototypes = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'].flatMap((name) => [
  ...['"Ottoline"', '{"status":"Ottoline","coding":[{"system":"Ottoline"}]}', '["Ottoline"]'].map((value) =>
    raw(`${name}: ${value}`, `"${name}":${value}`)
  ),
  attack(`a ${name}`, { resourceType: name }),
]);

const odds = [
  attack('a logical subject', {
    subject: { identifier: { system: 'http://hospital.example/mrn', value: 'MRN-0041881' }, display: 'Ottoline' },
  }),
  attack('a contained subject', { contained: [PATIENT], subject: { reference: '#p1' } }),
  attack('extensions of primitives', {
    _status: { id: 'Ottoline', extension: [{ url: 'http://x.example', valueString: 'Ottoline' }] },
    _effectiveDateTime: { extension: [{ url: 'http://x.example', valueString: 'Ottoline' }] },
  }),
];

describe.each(['pseudonymised', 'safe-harbor'] as const)('under %s, of the patient nothing leaves by', (profile) => {
  it.each<[string, readonly Attack[]]>([
    ['numbers', numbers],
    ['codes', codes],
    ['units', units],
    ['dates', dates],
    ['references', references],
    ['wrong types', types],
    ['depth', depths],
    ['names of the prototype', prototypes],
    ['other means', odds],
  ])('%s', async (_name, attacks) => {
    const input = [JSON.stringify(PATIENT), ...attacks.map(({ text }) => text)].join('\n');
    const { lines } = await preview([input], { profile });
    expect(lines).toHaveLength(attacks.length + 1);
    const leaks = attacks.filter((_attack, i) => {
      // Tokens are made of letters, and may spell anything.
      const { identifier: _token, ...rest } = lines[i + 1]?.resource ?? {};
      return SECRET.test(JSON.stringify(rest));
    });
    expect(leaks.map(({ name }) => name)).toEqual([]);
    const unknown = lines.filter(({ ok, reason }) => !ok && !(DEID_REASONS as readonly unknown[]).includes(reason));
    expect(unknown).toEqual([]);
  });

  it.each([
    ['of the record', { modifierExtension: [{ url: 'http://x.example', valueBoolean: true }] }],
    ['of a component', { component: [{ modifierExtension: [{ url: 'http://x.example' }], code: NORMAL }] }],
    ['of a timing', { effectiveTiming: { modifierExtension: [{ url: 'http://x.example' }], event: ['2019-01-01'] } }],
    ['that is no list', { modifierExtension: {} }],
  ])('a modifierExtension %s: the record is refused', async (_where, change) => {
    const { lines } = await preview([`${JSON.stringify(PATIENT)}\n${attack('', change).text}`], { profile });
    expect(lines[1]).toMatchObject({ ok: false, reason: 'modifier-extension' });
  });

  it('but measurements do, however large', async () => {
    const values = [0, 1e-9, 98.6, 79.188395421, 250_000, 1_876_543, 9_999_999, 1e7, 170_000_000, 1e9];
    const input = [JSON.stringify(PATIENT), ...values.map((value) => attack('', { valueQuantity: { value } }).text)];
    const { lines } = await preview([input.join('\n')], { profile });
    expect(lines.slice(1).map(({ resource }) => (resource?.['valueQuantity'] as { value?: number })?.value)).toEqual(
      values
    );
  });
});
