/**
 * Shifting FHIR dates, or cutting them to their years.
 *
 * Instants move by a constant number of milliseconds, so the intervals between them stay exact and their time of day does not.
 * Dates without a time move by the whole days in it. A date and an instant of the same day therefore agree to within one day
 * after the shift (half a day for the time, the rest for the time zone); within one Period both are brought to the coarser form first.
 */
import { DOT, isDay, msOfInstant } from './instant.ts';
import type { PatientKeys } from './keys.ts';

/** The FHIR primitive of the position: an instant may not be partial, a date has no time. */
export type DateKind = 'date' | 'dateTime' | 'instant';

/** How the dates of one patient leave: shifted, or as years. */
export interface DateRule extends Pick<PatientKeys, 'shiftDays' | 'shiftMs' | 'shifted'> {
  /** When given, only years leave, and only those after this one. */
  readonly yearsAfter?: number;
}

const DAY_MS = 86_400_000;
const SHAPE = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/;

/**
 * Shifts a date, dateTime or instant and keeps its precision. A year or a year and month is shifted from its middle and cut off again.
 *
 * @param value - As it stands in the source; anything that is no valid value of the kind gives undefined.
 * @param kind - The primitive type of the position.
 * @param shift - The patient's shift, or that only years may leave: then there are no instants, which have to be full.
 * @returns The shifted value; instants in UTC, so that the zone does not tell the place.
 */
export function shiftDate(value: unknown, kind: DateKind, shift: DateRule): string | undefined {
  if (typeof value !== 'string' || value.length > 40) return undefined;
  const known = kind === 'date' ? undefined : shift.shifted?.get(value);
  if (known !== undefined) return known;
  return value.length > 10 ? shiftInstant(value, kind, shift) : shiftDay(value, kind, shift);
}

function shiftInstant(value: string, kind: DateKind, shift: DateRule): string | undefined {
  const ms = kind === 'date' ? NaN : msOfInstant(value);
  if (Number.isNaN(ms)) return undefined;
  const { yearsAfter } = shift;
  if (yearsAfter !== undefined) {
    const year = value.slice(0, 4);
    return kind !== 'instant' && Number(year) > yearsAfter ? year : undefined;
  }
  const text = iso(ms + shift.shiftMs);
  // Cut, not rounded: cutting keeps the order and the whole-second intervals.
  const kept = text && (value.charCodeAt(19) === DOT ? text : `${text.slice(0, 19)}Z`);
  if (kept) shift.shifted?.set(value, kept);
  return kept;
}

function shiftDay(value: string, kind: DateKind, shift: DateRule): string | undefined {
  const part = kind === 'instant' ? null : SHAPE.exec(value);
  if (!part) return undefined;
  const year = Number(part[1]);
  const month = part[2] === undefined ? 7 : Number(part[2]);
  const day = part[3] === undefined ? (part[2] === undefined ? 2 : 15) : Number(part[3]);
  if (year === 0 || !isDay(year, month, day)) return undefined;
  if (shift.yearsAfter !== undefined) return year > shift.yearsAfter ? part[1] : undefined;
  return iso(utc(year, month, day) + shift.shiftDays * DAY_MS)?.slice(0, value.length);
}

/**
 * Shifts a Period. Ends of different precision are first cut to the coarser one, or the end might come before the start (per-1): an
 * instant and a day move by different amounts, and a year moves from its middle.
 *
 * @param start - Period.start.
 * @param end - Period.end.
 * @param shift - The patient's shift.
 * @returns The shifted ends.
 */
export function shiftPeriod(
  start: unknown,
  end: unknown,
  shift: DateRule
): { readonly start: string | undefined; readonly end: string | undefined } {
  const from = shiftDate(start, 'dateTime', shift);
  const to = shiftDate(end, 'dateTime', shift);
  if (from === undefined || to === undefined) return { start: from, end: to };
  const length = Math.min(from.length, to.length);
  if (length > 10 || from.length === to.length) return { start: from, end: to };
  return { start: cutAndShift(start, length, shift), end: cutAndShift(end, length, shift) };
}

function cutAndShift(value: unknown, length: number, shift: DateRule): string | undefined {
  return shiftDate(String(value).slice(0, length), 'dateTime', shift);
}

function utc(year: number, month: number, day: number): number {
  // Date.UTC reads years below 100 as 19xx.
  return year < 100 ? NaN : Date.UTC(year, month - 1, day);
}

/** ISO 8601 with milliseconds, or undefined outside the years that FHIR can write. */
function iso(ms: number): string | undefined {
  return ms >= -62_135_596_800_000 && ms < 253_402_300_800_000 ? new Date(ms).toISOString() : undefined;
}
