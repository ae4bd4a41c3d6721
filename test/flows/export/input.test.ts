import { describe, expect, test } from 'vitest';
import { readExport } from '../../../src/flows/export/input.ts';

const TOKEN = `pt_${'bcdfghjk'.repeat(4)}`;
const problemsOf = (input: unknown): readonly string[] => {
  const read = readExport(input);
  return 'problems' in read ? read.problems : [];
};

describe('the patient', () => {
  test.each([
    ['a reference', 'Patient/1-a.b', { id: '1-a.b' }],
    ['an id', 'abc', { id: 'abc' }],
    ['a token', TOKEN, { token: TOKEN }],
    ['a reference by token', `Patient/${TOKEN}`, { token: TOKEN }],
  ])('is %s', (_, patient, expected) => {
    expect(readExport({ patient })).toMatchObject({ patient: expected });
  });

  test.each([
    undefined,
    '',
    7,
    null,
    [],
    '../Patient/1',
    'Patient/1/$everything',
    'Patient?name=x',
    'a b',
    'x'.repeat(65),
    '%2e%2e',
  ])('is not %j', (patient) => {
    expect(problemsOf({ patient })).toEqual(['patient must be Patient/<id>, an id, or a token pt_…']);
  });

  test('is read from Parameters, and from the resource that newer servers hand over', () => {
    const parameter = [
      { name: 'patient', valueReference: { reference: 'Patient/1' } },
      { name: 'type', valueCode: 'Observation' },
      { name: 'type', valueCode: 'Encounter' },
      { name: '_count', valueInteger: 5 },
    ];
    expect(readExport({ resourceType: 'Parameters', parameter })).toMatchObject({
      patient: { id: '1' },
      types: ['Encounter', 'Observation'],
      count: 5,
    });
    expect(readExport({ resourceType: 'Patient', id: '1' })).toMatchObject({ patient: { id: '1' } });
    expect(problemsOf({ resourceType: 'Parameters', parameter: 'x' })).toHaveLength(1);
    expect(problemsOf({ resourceType: 'Parameters', parameter: [null] })).toHaveLength(2);
  });
});

describe('types', () => {
  test.each(['Observation,Encounter', 'Encounter, Observation', ['Observation', 'Encounter']])('may be %j', (type) => {
    expect(readExport({ patient: '1', type })).toMatchObject({ types: ['Encounter', 'Observation'] });
    expect(readExport({ patient: '1', _type: type })).toMatchObject({ types: ['Encounter', 'Observation'] });
  });

  test.each(['Practitioner', 'Observation,', 'observation', ['Observation', 3], {}, 'Observation&_id=1'])(
    'may not be %j',
    (type) => {
      expect(problemsOf({ patient: '1', type })[0]).toMatch(/^type must be of Patient, Encounter/);
    }
  );
});

test.each([
  [{ start: 'yesterday' }, 'start and end'],
  [{ start: '2024-02-30' }, 'start and end'],
  [{ start: '2024-05', end: '2024-04' }, 'start and end'],
  [{ _count: 0 }, '_count'],
  [{ _count: 1001 }, '_count'],
  [{ _count: -1 }, '_count'],
  [{ _offset: 'x' }, '_offset'],
  [{ __proto__x: 1 }, 'known parameters'],
  [{ since: '2024' }, 'known parameters'],
])('%j is refused', (fields, problem) => {
  const problems = problemsOf({ patient: '1', ...fields });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

test('what was asked is repeated only as far as it was understood', () => {
  expect(readExport({ patient: '1', start: '2024', type: 'Encounter' })).toMatchObject({
    echo: { start: '2024', type: 'Encounter' },
  });
  expect(readExport({ patient: '1' })).toMatchObject({ echo: {}, offset: 0, count: 1000 });
});
