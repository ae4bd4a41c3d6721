/** FHIR instants, read character by character: a record has several, and a regular expression with `Date.parse` takes five times as long. */

const ZERO = 48;
const DASH = 45;
const PLUS = 43;
const COLON = 58;
const LETTER_T = 84;
const LETTER_Z = 90;
export const DOT = 46;

/** Where the fraction or the zone begins: after `2020-01-01T00:00:00`. */
const SECONDS_END = 19;
const MAX_FRACTION = 9;
const MAX_ZONE_HOURS = 14;

/**
 * Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)` (FHIR R4 §2.24.0.1: seconds and zone have to be there, 24:00 may not).
 *
 * @param text - An instant, or anything.
 * @returns Milliseconds since the epoch, the fraction cut to them; NaN for anything that is no such instant.
 */
export function msOfInstant(text: string): number {
  const isPunctuated =
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(7) === DASH &&
    text.charCodeAt(10) === LETTER_T &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON;
  if (!isPunctuated) return NaN;
  const year = 100 * two(text, 0) + two(text, 2);
  const month = two(text, 5);
  const day = two(text, 8);
  const hour = two(text, 11);
  const minute = two(text, 14);
  const second = two(text, 17);
  // Comparisons with NaN are false. Date.UTC reads years below 100 as 19xx.
  if (!(year >= 100 && hour < 24 && minute < 60 && second < 60) || !isDay(year, month, day)) return NaN;
  const zone = fractionEnd(text);
  const fraction =
    zone === SECONDS_END ? 0 : Number(text.slice(SECONDS_END + 1, Math.min(zone, SECONDS_END + 4)).padEnd(3, '0'));
  return Date.UTC(year, month - 1, day, hour, minute, second, fraction) - zoneMs(text, zone);
}

/**
 * Whether a day is in the calendar.
 *
 * @param year - Gregorian.
 * @param month - 1 to 12.
 * @param day - 1 to 31.
 * @returns False for anything else, NaN too.
 */
export function isDay(year: number, month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysIn(year, month));
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The end of a fraction of one to nine digits, where the zone has to begin; NaN for a dot without digits or with too many. */
function fractionEnd(text: string): number {
  if (text.charCodeAt(SECONDS_END) !== DOT) return SECONDS_END;
  let at = SECONDS_END + 1;
  while (digit(text, at) >= 0) at += 1;
  const digits = at - SECONDS_END - 1;
  return digits >= 1 && digits <= MAX_FRACTION ? at : NaN;
}

function zoneMs(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if (sign === LETTER_Z) return text.length === at + 1 ? 0 : NaN;
  const isZone = (sign === PLUS || sign === DASH) && text.length === at + 6 && text.charCodeAt(at + 3) === COLON;
  const hours = two(text, at + 1);
  const minutes = two(text, at + 4);
  if (!isZone || !(hours <= MAX_ZONE_HOURS && minutes < 60)) return NaN;
  return (sign === DASH ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** NaN unless both characters are digits. */
function two(text: string, at: number): number {
  return 10 * digit(text, at) + digit(text, at + 1);
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - ZERO;
  return value >= 0 && value <= 9 ? value : NaN;
}
