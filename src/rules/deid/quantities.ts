/** Numbers and their units. */
import type { Quantity, Range, Ratio, SampledData } from '@medplum/fhirtypes';
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
  if (typeof number !== 'number' || !isMeasure(number)) return undefined;
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
 * @returns Both parts, or undefined without either. Half a ratio is invalid (rat-1), so the part that may not leave is marked as masked.
 */
export function publicRatio(value: unknown): Ratio | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const numerator = publicQuantity((value as Fields)['numerator']);
  const denominator = publicQuantity((value as Fields)['denominator']);
  if (!numerator && !denominator) return undefined;
  return { numerator: numerator ?? masked(), denominator: denominator ?? masked() };
}

/**
 * How something was sampled, without the samples.
 *
 * @param value - A SampledData of the source.
 * @returns Its numbers, or undefined without an origin; a period or count that is required and missing is marked as masked.
 */
export function publicSampling(value: unknown): Partial<SampledData> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const source = value as Fields;
  const origin = publicQuantity(source['origin']);
  if (!origin) return undefined;
  const sampling: Record<string, unknown> = { origin };
  for (const name of ['period', 'factor', 'lowerLimit', 'upperLimit']) {
    const number = publicNumber(source[name]);
    if (number !== undefined) sampling[name] = number;
  }
  const dimensions = publicNumber(source['dimensions'], 1);
  if (dimensions !== undefined) sampling['dimensions'] = dimensions;
  for (const name of ['period', 'dimensions']) if (!(name in sampling)) sampling[`_${name}`] = masked();
  return sampling;
}

/**
 * A number of one of FHIR's integer or decimal types.
 *
 * @param value - A value of the source.
 * @param least - The least value of the type; undefined for a decimal.
 * @returns The number, or undefined.
 */
export function publicNumber(value: unknown, least?: number): number | undefined {
  if (typeof value !== 'number' || !isMeasure(value)) return undefined;
  if (least === undefined) return value;
  return Number.isInteger(value) && value >= least && value <= 0x7fffffff ? value : undefined;
}

const LONG = 10_000_000;
/** Up to four digits, then zeros. */
const COARSE = /^[1-9]\d{0,3}0{4,}$/;

/**
 * Whether a number can be a measurement or a count rather than a telephone number, a date (19710304), a social security or a record number.
 * From eight digits on nothing is measured to the last one: copies of a virus per millilitre are given to two or three digits.
 */
function isMeasure(value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const size = Math.abs(value);
  return size < LONG || COARSE.test(String(size));
}
