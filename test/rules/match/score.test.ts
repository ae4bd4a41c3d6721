import type { Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { chosen } from '../../../src/rules/match/choose.ts';
import { dateLikeness, exchanged } from '../../../src/rules/match/dates.ts';
import { similarity } from '../../../src/rules/match/jaro-winkler.ts';
import { isNamed } from '../../../src/rules/match/named.ts';
import { familyLikeness, givenLikeness, wordsOf } from '../../../src/rules/match/names.ts';
import { personOf } from '../../../src/rules/match/person.ts';
import { demographicsOf, isEnough, queriesOf } from '../../../src/rules/match/queries.ts';
import { scoreOf } from '../../../src/rules/match/score.ts';

// Winkler's own examples (1990, table 1; two of them by hand).
test.each([
  ['MARTHA', 'MARHTA', 0.961],
  ['DWAYNE', 'DUANE', 0.84],
  ['DIXON', 'DICKSONX', 0.813],
  ['same', 'same', 1],
  ['abc', 'xyz', 0],
  ['', '', 0],
])('similarity of %s and %s', (a, b, expected) => {
  expect(similarity(a, b)).toBeCloseTo(expected, 3);
  expect(similarity(b, a)).toBeCloseTo(expected, 3);
});

test('names without accents, titles, case and punctuation', () => {
  expect(wordsOf('Dr. Jürgen Groß-Łukasz O’Neill Jr.')).toEqual(['jurgen', 'gross', 'lukasz', 'oneill']);
});

test.each([
  ['Müller', 'MULLER', 'same'],
  ['Smith', 'Smith-Jones', 'alike'],
  ['Johnson', 'Johnsen', 'alike'],
  ['Smith', 'Baker', 'different'],
])('family %s and %s', (a, b, kind) => {
  expect(familyLikeness([a], [b]).kind).toBe(kind);
});

test.each([
  ['William', 'Bill', 'same'],
  ['Kate', 'Katherine', 'same'],
  ['Anna', 'Agatha', 'different'],
  ['J', 'Jane', 'unknown'],
  ['J', 'Karen', 'different'],
  ['Jon', 'Jonn', 'alike'],
])('given %s and %s', (a, b, kind) => {
  expect(givenLikeness([a], [b]).kind).toBe(kind);
});

test.each([
  ['1971-03-04', '1971-03-04', 'same'],
  ['1971-03-04', '1971-04-03', 'transposed'],
  ['1971-03-04', '1917-03-04', 'transposed'],
  ['1971-03-04', '1972-03-04', 'near'],
  ['1971-03-04', '1980-11-30', 'different'],
  ['1971', '1971-03-04', 'unknown'],
  ['1972', '1971-03-04', 'different'],
  [undefined, '1971-03-04', 'unknown'],
])('dates %s and %s', (a, b, kind) => {
  expect(dateLikeness(a, b)).toBe(kind);
});

test('a date with day and month exchanged', () => {
  expect([exchanged('1971-03-04'), exchanged('1971-03-13'), exchanged('1971-03-03'), exchanged('1971')]).toEqual([
    '1971-04-03',
    undefined,
    undefined,
    undefined,
  ]);
});

const thresholds = { certain: 30, probable: 18, possible: 8 };
const base: Patient = {
  resourceType: 'Patient',
  name: [{ family: 'Zorkmid', given: ['Elizabeth'] }],
  gender: 'female',
  birthDate: '1971-03-04',
  telecom: [{ system: 'phone', value: '+1 (555) 010-4477 x12' }],
  address: [{ line: ['12 Main St.'], postalCode: '62704-1234' }],
};
const grade = (more: Partial<Patient>, own: Partial<Patient> = {}): string => {
  const of = (patient: Patient): ReturnType<typeof personOf> => personOf(patient, (system) => system === 'shared');
  return scoreOf(of({ ...base, ...own }), of({ ...base, ...more }), thresholds).grade;
};
const ssn = (value: string): Partial<Patient> => ({ identifier: [{ system: 'shared', value }] });

describe('grades', () => {
  test.each<[string, Partial<Patient>, string]>([
    ['the same person', {}, 'certain'],
    ['a short form', { name: [{ family: 'ZORKMID', given: ['Liz'] }] }, 'certain'],
    ['moved', { address: [{ line: ['1 Elm St'], postalCode: '10001' }] }, 'certain'],
    ['a transposed date', { birthDate: '1971-04-03' }, 'probable'],
    ['another family name', { name: [{ family: 'Grue', given: ['Elizabeth'] }] }, 'probable'],
    ['name, date and sex alone', { telecom: [], address: [] }, 'probable'],
    ['no more than the postal code beside', { telecom: [], address: [{ postalCode: '62704' }] }, 'probable'],
    ['a twin', { name: [{ family: 'Zorkmid', given: ['Agatha'] }] }, 'possible'],
    ['a twin brother', { gender: 'male', name: [{ family: 'Zorkmid', given: ['Elisabet'] }] }, 'possible'],
    ['a stranger of that name', { birthDate: '1990-12-30', telecom: [], address: [] }, 'certainly-not'],
  ])('%s', (_name, more, expected) => {
    expect(grade(more)).toBe(expected);
  });
  test('numbers of one system decide for and against, others say nothing', () => {
    const alone = { telecom: [], address: [] };
    expect(grade({ ...alone, ...ssn('1') }, ssn('1'))).toBe('certain');
    expect(grade(ssn('2'), ssn('1'))).toBe('probable');
    expect(
      grade({ identifier: [{ system: 'theirs', value: '1' }] }, { identifier: [{ system: 'ours', value: '2' }] })
    ).toBe('certain');
  });
});

test('of two who come near nobody is certain', () => {
  const one = { id: 'a', bits: 40, grade: 'certain' as const };
  expect(chosen([one])).toEqual([one]);
  expect(chosen([{ id: 'b', bits: 31, grade: 'certain' }, one]).map((each) => each.grade)).toEqual([
    'certain',
    'probable',
  ]);
  expect(chosen([{ id: 'b', bits: 33, grade: 'possible' }, one]).map((each) => each.grade)).toEqual([
    'probable',
    'possible',
  ]);
  expect(chosen([{ id: 'c', bits: 3, grade: 'certainly-not' }])).toEqual([]);
});

describe('what is told', () => {
  test('is no more than is compared', () => {
    const patient: Patient = {
      ...base,
      id: 'x',
      photo: [{ title: 'x' }],
      maritalStatus: { text: 'x' },
      contact: [{ name: { family: 'x' } }],
      identifier: [
        { system: 'shared', value: '1' },
        { system: 'mrn', value: '2' },
      ],
      telecom: [
        { system: 'phone', value: '1' },
        { system: 'url', value: 'x' },
      ],
    };
    const told = demographicsOf(patient, ['shared']);
    expect(Object.keys(told).sort()).toEqual([
      'address',
      'birthDate',
      'gender',
      'identifier',
      'name',
      'resourceType',
      'telecom',
    ]);
    expect(JSON.stringify(told)).not.toMatch(/"mrn"|"x"|"url"/);
  });
  test('is enough with a number, or a name and something beside it', () => {
    const of = (more: Partial<Patient>): boolean => isEnough({ resourceType: 'Patient', ...more });
    expect(of({ name: [{ family: 'a' }], birthDate: '2000-01-01' })).toBe(true);
    expect(of({ name: [{ family: 'a', given: ['b'] }] })).toBe(true);
    expect(of(ssn('1'))).toBe(true);
    expect(of({ name: [{ family: 'a' }] })).toBe(false);
    expect(of({ birthDate: '2000-01-01' })).toBe(false);
  });
  test('what separates alternatives is escaped', () => {
    const [query] = queriesOf({ resourceType: 'Patient', name: [{ family: 'a,b|c$d\\e', given: ['x'] }] });
    expect(query).toEqual({ family: 'a\\,b\\|c\\$d\\\\e', given: 'x' });
  });
});

test('a Consent names the partner where it permits, not where it denies', () => {
  const actor = [{ role: {}, reference: { reference: 'Organization/1' } }];
  const consent = (provision: object): Parameters<typeof isNamed>[0] => ({ provision }) as never;
  expect(isNamed(consent({ actor }), 'Organization/1')).toBe(true);
  expect(isNamed(consent({ provision: [{ type: 'permit', actor }] }), 'Organization/1')).toBe(true);
  expect(isNamed(consent({ provision: [{ type: 'deny', actor }] }), 'Organization/1')).toBe(false);
  expect(isNamed(consent({ actor }), 'Organization/2')).toBe(false);
  expect(isNamed(consent({}), 'Organization/1')).toBe(false);
});
