import type { Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { isWithin, rangeOf } from '../../../src/flows/export/dates.ts';
import type { Range } from '../../../src/flows/export/dates.ts';
import { REPLICATED_TYPES } from '../../../src/config/policy.ts';

const range = (start?: string, end?: string): Range => rangeOf(start, end) ?? { from: NaN, to: NaN };
const of = (resourceType: string, fields: object): Resource => ({ resourceType, ...fields }) as Resource;

describe('a range', () => {
  test.each([
    ['2024', '2024', '2024-01-01T00:00:00.000Z', '2024-12-31T23:59:59.999Z'],
    ['2024-02', '2024-02', '2024-02-01T00:00:00.000Z', '2024-02-29T23:59:59.999Z'],
    ['2024-05-06', '2024-05-06', '2024-05-06T00:00:00.000Z', '2024-05-06T23:59:59.999Z'],
    ['2024-05-06T10:00:00+02:00', '2024-05-06T10:00:00Z', '2024-05-06T08:00:00.000Z', '2024-05-06T10:00:00.000Z'],
  ])('from %s to %s includes both ends', (start, end, from, to) => {
    const { from: first, to: last } = range(start, end);
    expect([first, last].map((at) => new Date(at).toISOString())).toEqual([from, to]);
  });

  test.each(['2024-13', '2024-02-30', '24', 'x', '2024-05-06T25:00:00Z', '2024-05-06T10:00:00'])(
    '%s is no date',
    (date) => {
      expect(rangeOf(date, undefined)).toBeUndefined();
      expect(rangeOf(undefined, date)).toBeUndefined();
    }
  );
});

describe('a copy is within a range', () => {
  test('when any part of its time may be', () => {
    const stay = of('Encounter', { period: { start: '2024-05-06', end: '2024-05-09' } });
    expect(isWithin(stay, range('2024-05-09', '2024-06'))).toBe(true);
    expect(isWithin(stay, range('2024-05-10'))).toBe(false);
    expect(isWithin(stay, range(undefined, '2024-05-05'))).toBe(false);
    expect(isWithin(of('Encounter', { period: { start: '2024-05-06' } }), range('2030'))).toBe(true);
    expect(isWithin(of('Observation', { effectiveDateTime: '2024-05' }), range('2024-05-31'))).toBe(true);
    expect(isWithin(of('Observation', { effectiveDateTime: '2024-05' }), range('2024-06-01'))).toBe(false);
  });

  test('by when the care took place, before when it was written down', () => {
    const onset = of('Condition', { onsetDateTime: '2020', recordedDate: '2024' });
    expect(isWithin(onset, range('2024'))).toBe(false);
    expect(isWithin(of('Condition', { recordedDate: '2024' }), range('2024'))).toBe(true);
  });

  test('when it has no date, since then it cannot be said to lie outside', () => {
    expect(isWithin(of('AllergyIntolerance', {}), range('2024', '2024'))).toBe(true);
    expect(isWithin(of('Patient', { birthDate: '1950' }), range('2024'))).toBe(true);
  });

  test.each(REPLICATED_TYPES.filter((type) => type !== 'Patient'))('whatever its type: %s', (type) => {
    const dated = [
      'period',
      'effectiveDateTime',
      'onsetDateTime',
      'occurrenceDateTime',
      'performedDateTime',
      'authoredOn',
      'date',
    ];
    const fields = Object.fromEntries(
      dated.map((name) => [name, name === 'period' ? { start: '2001', end: '2001' } : '2001'])
    );
    expect(isWithin(of(type, fields), range('2001'))).toBe(true);
    expect(isWithin(of(type, fields), range('2002'))).toBe(false);
  });
});
