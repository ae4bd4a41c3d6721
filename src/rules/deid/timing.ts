/** Timing: when something happens again and again. */
import type { Timing, TimingRepeat } from '@medplum/fhirtypes';
import { publicConcept } from './codings.ts';
import { shiftDate, shiftPeriod } from './dates.ts';
import type { DateRule } from './dates.ts';
import { publicNumber, publicQuantity, publicRange } from './quantities.ts';

type Fields = Readonly<Record<string, unknown>>;

const UNITS: ReadonlySet<unknown> = new Set(['s', 'min', 'h', 'd', 'wk', 'mo', 'a']);
const WHEN: ReadonlySet<unknown> = new Set(
  'MORN|MORN.early|MORN.late|NOON|AFT|AFT.early|AFT.late|EVE|EVE.early|EVE.late|NIGHT|PHS|HS|WAKE|C|CM|CD|CV|AC|ACM|ACD|ACV|PC|PCM|PCD|PCV'.split(
    '|'
  )
);

/**
 * A Timing as it may leave: shifted events and bounds, counts and frequencies. Days of the week and times of the day stay behind:
 * shifted they would be wrong, unshifted they would tell the shift.
 *
 * @param value - A Timing of the source.
 * @param shift - The patient's shift.
 * @returns The timing, or undefined when nothing of it survives.
 */
export function publicTiming(value: unknown, shift: DateRule): Timing | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const source = value as Fields;
  const event = shiftEach(source['event'], shift);
  const repeat = publicRepeat(source['repeat'], shift);
  const code = publicConcept(source['code']);
  if (event.length === 0 && !repeat && !code) return undefined;
  return { ...(event.length > 0 && { event }), ...(repeat && { repeat }), ...(code && { code }) };
}

function shiftEach(value: unknown, shift: DateRule): string[] {
  if (!Array.isArray(value)) return [];
  return value.map((each) => shiftDate(each, 'dateTime', shift)).filter((each) => each !== undefined);
}

function publicRepeat(value: unknown, shift: DateRule): TimingRepeat | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const source = value as Fields;
  const repeat: Record<string, unknown> = { ...bounds(source, shift) };
  put(repeat, 'count', publicNumber(source['count'], 1));
  if ('count' in repeat) put(repeat, 'countMax', publicNumber(source['countMax'], 1)); // tim-7
  span(repeat, source, 'duration'); // tim-1, tim-4, tim-6
  span(repeat, source, 'period'); // tim-2, tim-5, tim-8
  put(repeat, 'frequency', publicNumber(source['frequency'], 1));
  put(repeat, 'frequencyMax', publicNumber(source['frequencyMax'], 1));
  const when = Array.isArray(source['when']) ? source['when'].filter((each) => WHEN.has(each)) : [];
  if (when.length > 0) {
    repeat['when'] = when;
    // tim-9: no offset from a meal itself
    if (!when.some((each) => /^C[MDV]?$/.test(String(each)))) put(repeat, 'offset', publicNumber(source['offset'], 0));
  }
  return Object.keys(repeat).length > 0 ? repeat : undefined;
}

/** At most one of the three forms of bounds[x]. */
function bounds(source: Fields, shift: DateRule): Readonly<Record<string, unknown>> {
  const duration = publicQuantity(source['boundsDuration']);
  if (duration) return { boundsDuration: duration };
  const range = publicRange(source['boundsRange']);
  if (range) return { boundsRange: range };
  const period = source['boundsPeriod'];
  if (typeof period !== 'object' || period === null) return {};
  const { start, end } = shiftPeriod((period as Fields)['start'], (period as Fields)['end'], shift);
  return start || end ? { boundsPeriod: { ...(start && { start }), ...(end && { end }) } } : {};
}

/** A length of time without its unit, or a maximum without a length, is invalid: all of it or nothing. */
function span(repeat: Record<string, unknown>, source: Fields, name: 'duration' | 'period'): void {
  const length = publicNumber(source[name]);
  const unit = source[`${name}Unit`];
  if (length === undefined || length < 0 || !UNITS.has(unit)) return;
  repeat[name] = length;
  put(repeat, `${name}Max`, publicNumber(source[`${name}Max`]));
  repeat[`${name}Unit`] = unit;
}

function put(target: Record<string, unknown>, name: string, value: unknown): void {
  if (value !== undefined) target[name] = value;
}
