/** The elements of a copy of a Patient that are made: masked name, year of birth, place. */
import type { PatientKeys } from '../keys.ts';
import type { Fields, Hit, Scope } from './scope.ts';

/**
 * The name of every copy.
 *
 * @param value - The value of `name`.
 * @param keys - The patient's keys: three letters of the token tell one from the next.
 * @returns Whether it is that and nothing more.
 */
export function isMaskedName(value: unknown, keys: PatientKeys): boolean {
  const code = keys.patientToken.slice(3, 6).toUpperCase();
  return JSON.stringify(value) === `[{"text":"Patient [${code}]","family":"***","given":["***"]}]`;
}

/**
 * A year only, and none of anybody who lives and has reached the year of the 90th birthday's end. `pseudonymised`: no later than the true
 * one, and not the true one unless that is a multiple of five. `safe-harbor`: the true one.
 *
 * @param value - The value of `birthDate`.
 * @param scope - The source, the profile, and when ages count.
 * @returns Whether the year may be there.
 */
export function isYear(value: unknown, { source, profile, at }: Scope): boolean {
  const { birthDate, deceasedDateTime } = source as {
    readonly birthDate?: unknown;
    readonly deceasedDateTime?: unknown;
  };
  if (typeof value !== 'string' || !/^\d{4}$/.test(value) || typeof birthDate !== 'string') return false;
  const gap = Number(birthDate.slice(0, 4)) - Number(value);
  if (deceasedDateTime === undefined && Number(at.slice(0, 4)) - Number(birthDate.slice(0, 4)) > 90) return false;
  return profile === 'safe-harbor' ? gap === 0 : /[05]$/.test(value) && gap >= 0 && gap < 5;
}

/** ZIP3 areas of 20,000 people or fewer with anybody in them at all, Census 2010; said here again, by what may not leave. */
const SMALL_ZIP3 = /^(?:036|059|102|20[2-5]|369|556|692|753|772|82[13]|87[89]|884|893)$/;

/**
 * The place of a Patient in `safe-harbor`: a state, three digits that begin a ZIP code of the source, the United States. Of others, the state.
 *
 * @param value - The value of `address`.
 * @param scope - The source and the profile.
 * @returns What was found.
 */
export function checkPlace(value: unknown, { source, profile, isPatient }: Scope): Hit | undefined {
  const place: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof place !== 'object' || place === null) return 'residue-element';
  const { state = 'XX', postalCode, country = 'US', ...rest } = place as Fields;
  const isCoarse = /^[A-Z]{2}$/.test(String(state)) && country === 'US' && Object.keys(rest).length === 0;
  if (!isCoarse || (isPatient ? profile !== 'safe-harbor' : postalCode !== undefined)) return 'residue-element';
  if (postalCode === undefined || postalCode === '000') return undefined;
  if (typeof postalCode !== 'string' || !/^\d{3}$/.test(postalCode) || SMALL_ZIP3.test(postalCode))
    return 'residue-element';
  const { address } = source as { readonly address?: readonly { readonly postalCode?: unknown }[] };
  const isOwn = address?.some((each) => typeof each.postalCode === 'string' && each.postalCode.startsWith(postalCode));
  return isOwn ? undefined : 'residue-element';
}
