/** FHIR dates, partial dates, instants and Periods as spans of milliseconds; the reading of `provision.period` (rule 12). */
import type { Period } from '@medplum/fhirtypes';
import type { Truth } from './three-valued.ts';

/** From the first millisecond up to, but without, `until`. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

const FHIR_TIME = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/;

/**
 * The span that a FHIR date, dateTime or instant covers: "2024" is a whole year.
 *
 * @param text - The FHIR value.
 * @param utcOffsetMinutes - The zone of a value that carries none.
 * @returns The span, or undefined if the text is no FHIR time.
 */
export function spanOf(text: string | undefined, utcOffsetMinutes: number): Span | undefined {
  const found = typeof text === 'string' ? FHIR_TIME.exec(text) : null;
  if (!found) {
    return undefined;
  }
  const [, year, month, day, hour, minute, second, fraction, zone] = found;
  const number = (digits: string | undefined, fallback = 0): number => (digits ? Number(digits) : fallback);
  const [y, mo, d] = [number(year), number(month, 1), number(day, 1)];
  const [h, mi, s] = [number(hour), number(minute), number(second)];
  const local = Date.UTC(y, mo - 1, d, h, mi, s, Number((fraction ?? '').padEnd(3, '0').slice(0, 3)));
  const length = fraction ? 1 : second ? 1000 : minute ? 60_000 : 86_400_000;
  const end = day ? local + length : month ? Date.UTC(y, mo) : Date.UTC(y + 1, 0);
  // Date.UTC rolls over: the 31st of February must be no date at all, not the 3rd of March.
  const exists = new Date(local).getUTCDate() === d && mo >= 1 && mo <= 12 && h < 24 && mi < 60 && s < 60;
  const shift = zoneMinutes(zone, utcOffsetMinutes) * 60_000;
  return exists ? { from: local - shift, until: end - shift } : undefined;
}

function zoneMinutes(zone: string | undefined, fallback: number): number {
  if (zone === undefined) {
    return fallback;
  }
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith('-') ? -minutes : minutes;
}

/**
 * The span of a Period: both ends inclusive, a missing end is open.
 *
 * @param period - The Period.
 * @param utcOffsetMinutes - The zone of values that carry none.
 * @returns The span, or undefined if an end is unreadable or the start is after the end.
 */
export function spanOfPeriod(period: Period, utcOffsetMinutes: number): Span | undefined {
  const from = isOpen(period, 'start') ? -Infinity : spanOf(period.start, utcOffsetMinutes)?.from;
  const until = isOpen(period, 'end') ? Infinity : spanOf(period.end, utcOffsetMinutes)?.until;
  return from !== undefined && until !== undefined && from < until ? { from, until } : undefined;
}

/** An end that only says why it is absent is unknown, not open. */
function isOpen(period: Period, end: 'start' | 'end'): boolean {
  return period[end] === undefined && !(`_${end}` in period);
}

/**
 * Whether an instant lies in a Period; the same for permits and denies.
 *
 * @param period - The Period of a provision.
 * @param at - The instant, in milliseconds.
 * @param utcOffsetMinutes - The zone of values that carry none.
 * @returns Unknown if the Period cannot be read.
 */
export function inPeriod(period: Period, at: number, utcOffsetMinutes: number): Truth {
  const span = spanOfPeriod(period, utcOffsetMinutes);
  return span && span.from <= at && at < span.until;
}
