/** Ages: whoever is over 89 is in one category, "90 or older" (45 CFR 164.514(b)(2)(i)(C)). */
import type { Quantity, Range } from '@medplum/fhirtypes';
import { publicQuantity, publicRange, UCUM } from './quantities.ts';

const OLDEST_AGE = 89;
const NINETY = { value: OLDEST_AGE + 1, unit: 'a', system: UCUM, code: 'a' } as const;

/** UCUM units of time in years; an age in anything else counts as years. */
const YEARS: Readonly<Record<string, number>> = {
  a: 1,
  mo: 1 / 12,
  wk: 7 / 365.25,
  d: 1 / 365.25,
  h: 1 / 8766,
  min: 1 / 525_960,
};

/**
 * @param quantity - An age.
 * @returns The age, or 90 and more.
 */
export function agedQuantity(quantity: Quantity): Quantity {
  return years(quantity) <= OLDEST_AGE
    ? quantity
    : { value: NINETY.value, comparator: '>=', unit: 'a', system: UCUM, code: 'a' };
}

/**
 * Ends over 89 become 90, without a comparator, which a SimpleQuantity has not.
 *
 * @param range - A range of ages.
 * @returns The range.
 */
export function agedRange(range: Range): Range {
  const cap = (end: Quantity | undefined): Quantity | undefined =>
    end && (years(end) <= OLDEST_AGE ? end : { ...NINETY });
  const low = cap(range.low);
  const high = cap(range.high);
  return { ...(low && { low }), ...(high && { high }) };
}

/**
 * @param value - An Age of the source.
 * @returns The age as it may leave.
 */
export function publicAge(value: unknown): Quantity | undefined {
  const age = publicQuantity(value);
  return age && agedQuantity(age);
}

/**
 * @param value - A Range of ages of the source.
 * @returns The range as it may leave.
 */
export function publicAgeRange(value: unknown): Range | undefined {
  const range = publicRange(value);
  return range && agedRange(range);
}

/** More than 89 and less than 90 is over 89 only when the 90th birthday has come: 89.5 years are 89. */
function years(quantity: Quantity): number {
  return Math.floor(Math.abs(quantity.value ?? 0) * (YEARS[quantity.code ?? 'a'] ?? 1));
}

/**
 * Whether somebody is over 89, or was at death. Compares calendar days as text. Unknown parts count as the earliest, and a day is given
 * for time zones: doubt makes older.
 *
 * @param birthDate - A valid FHIR date.
 * @param died - `deceasedDateTime`.
 * @param at - The instant at which ages count.
 * @returns True from the day before the 90th birthday on.
 */
export function isOver89(birthDate: string, died: unknown, at: string): boolean {
  const end = typeof died === 'string' && /^\d{4}-\d\d-\d\d/.test(died) && died < at ? died : at;
  const time = Date.parse(end.slice(0, 10));
  const dayAfter = Number.isFinite(time) ? new Date(time + 86_400_000).toISOString().slice(0, 10) : '9999-12-31';
  const day = `${birthDate}-01-01`.slice(0, 10);
  return `${String(Number(day.slice(0, 4)) + OLDEST_AGE + 1).padStart(4, '0')}${day.slice(4)}` <= dayAfter;
}

/**
 * @param value - `birthDate` of the source.
 * @returns The year, or 0 when it is no valid date.
 */
export function birthYear(value: unknown): number {
  const year = typeof value === 'string' && /^\d{4}(-\d\d){0,2}$/.test(value) ? Number(value.slice(0, 4)) : 0;
  return year < 1000 ? 0 : year;
}
