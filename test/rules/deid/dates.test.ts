import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shiftDate, shiftPeriod } from '../../../src/rules/deid/dates.ts';

const DAY = 86_400_000;
const SHIFT = { shiftDays: 10, shiftMs: 10 * DAY + 5_025_600 }; // and 1 h 23 min 45.6 s

describe('a date', () => {
  it.each([
    ['2020-02-28', 'date', '2020-03-09'],
    ['2019-02-28', 'date', '2019-03-10'],
    ['2020-12-25', 'dateTime', '2021-01-04'],
    ['2020-12', 'dateTime', '2020-12'],
    ['2020', 'date', '2020'],
    ['2020-01-01T00:00:00Z', 'dateTime', '2020-01-11T01:23:45Z'],
    ['2020-01-01T00:00:00-05:00', 'dateTime', '2020-01-11T06:23:45Z'],
    ['2020-01-01T00:00:00.25Z', 'instant', '2020-01-11T01:23:45.850Z'],
  ] as const)('%s (%s) becomes %s', (value, kind, expected) => {
    expect(shiftDate(value, kind, SHIFT)).toBe(expected);
  });

  it.each([
    ['2021-02-29', 'date'],
    ['2020-13-01', 'date'],
    ['2020-00-10', 'date'],
    ['2020-04-31', 'date'],
    ['2020-1-1', 'date'],
    ['0000', 'date'],
    ['9999-12-31', 'date'],
    ['2020-01-01T00:00:00', 'dateTime'],
    ['2020-01-01T24:30:00Z', 'dateTime'],
    ['2020-01-01T00:00Z', 'dateTime'],
    ['2020-01-01T00:00:00Z', 'date'],
    ['2020-01-01', 'instant'],
    [' 2020-01-01', 'date'],
    ['2020-01-01 Ottoline', 'date'],
    [20200101, 'date'],
    [null, 'date'],
    [['2020-01-01'], 'date'],
  ] as const)('%j (%s) is dropped', (value, kind) => {
    expect(shiftDate(value, kind, SHIFT)).toBeUndefined();
  });
});

const instants = fc.date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
const shifts = fc
  .tuple(fc.integer({ min: 3, max: 367 }), fc.integer({ min: -DAY / 2, max: DAY / 2 - 1 }))
  .map(([shiftDays, time]) => ({ shiftDays, shiftMs: shiftDays * DAY + time }));
const second = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

describe('for any patient and any two instants', () => {
  it('the interval in seconds is the same', () => {
    fc.assert(
      fc.property(instants, instants, shifts, (a, b, shift) => {
        const before = Date.parse(second(b)) - Date.parse(second(a));
        const after =
          Date.parse(String(shiftDate(second(b), 'dateTime', shift))) -
          Date.parse(String(shiftDate(second(a), 'dateTime', shift)));
        expect(after).toBe(before);
      })
    );
  });

  it('a date and an instant of the same day stay within two days of each other', () => {
    fc.assert(
      fc.property(instants, shifts, (a, shift) => {
        const day = Date.parse(String(shiftDate(second(a).slice(0, 10), 'date', shift)));
        expect(Math.abs(Date.parse(String(shiftDate(second(a), 'dateTime', shift))) - day)).toBeLessThan(2 * DAY);
      })
    );
  });

  it('nothing from birth on lands on the birth date or before', () => {
    fc.assert(
      fc.property(instants, shifts, fc.constantFrom('+14:00', '-12:00', 'Z'), (birth, shift, zone) => {
        const day = birth.toISOString().slice(0, 10);
        expect(String(shiftDate(`${day}T00:00:00${zone}`, 'dateTime', shift)).slice(0, 10) > day).toBe(true);
        expect(String(shiftDate(day, 'date', shift)) > day).toBe(true);
      })
    );
  });

  it('a Period keeps its order, whatever the precision of its ends', () => {
    const lengths = fc.constantFrom(4, 7, 10, 20);
    fc.assert(
      fc.property(
        instants,
        fc.nat(500 * DAY),
        shifts,
        lengths,
        lengths,
        (from, length, shift, startLength, endLength) => {
          const to = new Date(from.getTime() + length);
          const { start, end } = shiftPeriod(second(from).slice(0, startLength), second(to).slice(0, endLength), shift);
          expect(String(start) <= String(end)).toBe(true);
          expect(start?.length).toBe(Math.min(startLength, endLength));
        }
      ),
      { numRuns: 1000 }
    );
  });
});
