import type { Bundle } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { identifyingStrings } from '../../scripts/samples/identifying.ts';
import { leaksIn } from '../../scripts/samples/leaks.ts';
import { samplePatients } from '../../scripts/samples/patients.ts';

const bundle = samplePatients({ seed: 5, count: 4 })[3] as Bundle;
const strings = identifyingStrings(bundle);
const values = new Set(strings.map(({ value }) => value));
const valuesOf = (kind: string): string[] => strings.flatMap((string) => (string.kind === kind ? string.value : []));

describe('identifying strings', () => {
  test('hold every name, address, number, date and remark of a patient', () => {
    const patient = bundle.entry?.[0]?.resource;
    if (patient?.resourceType !== 'Patient') {
      throw new Error('no patient');
    }
    const { name, address, telecom, identifier, contact, birthDate, id } = patient;
    const expected = [
      name?.[0]?.family,
      name?.[0]?.text,
      address?.[0]?.line?.[0],
      address?.[0]?.city,
      address?.[0]?.postalCode,
      ...(telecom?.map(({ value }) => value) ?? []),
      ...(identifier?.map(({ value }) => value) ?? []),
      contact?.[0]?.name?.family,
      contact?.[0]?.telecom?.[0]?.value,
      birthDate,
      id,
    ];
    expect(expected.filter((value) => !values.has(value ?? 'missing'))).toEqual([]);
    expect(valuesOf('free-text').some((text) => text.startsWith('Call '))).toBe(true);
    expect(valuesOf('free-text').some((text) => text.startsWith('Cloudy, as seen by '))).toBe(true);
    expect(valuesOf('display').some((text) => text.startsWith('Dr. '))).toBe(true);
  });

  test('leave out what codes are called, and states', () => {
    expect(['Body Height', 'Medical Record Number', 'MA', 'US', 'High'].filter((value) => values.has(value))).toEqual(
      []
    );
  });

  test('hold a surname that is a word of the vocabulary', () => {
    const found = identifyingStrings({
      resourceType: 'Patient',
      name: [{ family: 'Blood' }],
      maritalStatus: { coding: [{ code: 'x', display: 'Blood' }] },
    });
    expect(found.map(({ value }) => value)).toEqual(['Blood']);
  });
});

describe('leaks', () => {
  const name = { kind: 'name', value: 'Núñez' } as const;

  test.each([
    ['plain', 'Seen: Núñez today'],
    ['JSON', JSON.stringify({ a: [{ b: 'Sra. Núñez' }] })],
    ['a key of JSON', JSON.stringify({ Núñez: 1 })],
    ['JSON in JSON', JSON.stringify({ body: JSON.stringify({ name: 'Núñez' }) })],
    ['escaped', '{"name":"N\\u00fa\\u00f1ez"}'],
    ['a URL', JSON.stringify({ url: 'http://x/Patient?name=N%C3%BA%C3%B1ez' })],
    ['base64', JSON.stringify({ data: Buffer.from('Dear Mrs. Núñez, hello').toString('base64') })],
  ])('are found in %s', (_where, line) => {
    expect(leaksIn(['{}', line], [name])).toEqual([{ ...name, line: 2 }]);
  });

  test('are whole words', () => {
    expect(leaksIn(['Núñezalia', 'preNúñez', 'núñez'], [name])).toEqual([]);
  });

  test('are dates, but not date-times that were shifted to somebody’s birthday', () => {
    const birthday = { kind: 'birth-date', value: '1950-03-02' } as const;
    expect(leaksIn(['{"a":"1950-03-02"}', '{"a":"1950-03-02T10:00:00Z"}'], [birthday])).toHaveLength(1);
  });

  test('of a whole Bundle are all found in that Bundle', () => {
    const told = [JSON.stringify(bundle)];
    const found = new Set(leaksIn(told, strings).map(({ value }) => value));
    // Narratives are told with their markup, and first and last names in two fields.
    const missed = strings.filter(({ kind, value }) => !found.has(value) && kind !== 'free-text' && !/ /.test(value));
    expect(missed).toEqual([]);
  });
});
