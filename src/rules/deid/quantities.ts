/** Numbers and their units. */
import type { Quantity, Range, Ratio } from '@medplum/fhirtypes';
import { masked } from './codings.ts';
import { ucumCode } from './ucum.ts';

export const UCUM = 'http://unitsofmeasure.org';
const COMPARATORS: ReadonlySet<unknown> = new Set(['<', '<=', '>=', '>']);

type Fields = Readonly<Record<string, unknown>>;

/**
 * A Quantity as it may leave: the number, the comparator, and the unit as a UCUM code (also as `unit`, made from the code).
 * A unit that may not leave is marked as masked, so that nobody takes the bare number for a count.
 *
 * @param value - A Quantity, SimpleQuantity, Duration or Age of the source.
 * @returns The quantity, or undefined without a finite number.
 */
export function publicQuantity(value: unknown): Quantity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const source = value as Fields;
  const number = source['value'];
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
  const quantity: Quantity = { value: number };
  if (COMPARATORS.has(source['comparator']))
    quantity.comparator = source['comparator'] as NonNullable<Quantity['comparator']>;
  const code = source['system'] === UCUM ? ucumCode(source['code']) : undefined;
  if (code !== undefined) {
    quantity.unit = code;
    quantity.system = UCUM;
    quantity.code = code;
  } else if (source['unit'] !== undefined || source['code'] !== undefined) {
    (quantity as { _unit?: unknown })._unit = masked();
  }
  return quantity;
}

/**
 * A Range as it may leave.
 *
 * @param value - A Range of the source.
 * @returns The ends that survive, or undefined without either.
 */
export function publicRange(value: unknown): Range | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const low = publicQuantity((value as Fields)['low']);
  const high = publicQuantity((value as Fields)['high']);
  return low || high ? { ...(low && { low }), ...(high && { high }) } : undefined;
}

/**
 * A Ratio as it may leave.
 *
 * @param value - A Ratio of the source.
 * @returns Both parts, or undefined: half a ratio is invalid (rat-1).
 */
export function publicRatio(value: unknown): Ratio | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const numerator = publicQuantity((value as Fields)['numerator']);
  const denominator = publicQuantity((value as Fields)['denominator']);
  return numerator && denominator ? { numerator, denominator } : undefined;
}

/**
 * A number of one of FHIR's integer or decimal types.
 *
 * @param value - A value of the source.
 * @param least - The least value of the type; undefined for a decimal.
 * @returns The number, or undefined.
 */
export function publicNumber(value: unknown, least?: number): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  if (least === undefined) return value;
  return Number.isInteger(value) && value >= least && value <= 0x7fffffff ? value : undefined;
}
