/** The elements of the replica Patient that are made rather than kept. */
import type { Coding, Patient } from '@medplum/fhirtypes';
import { birthYear, isOver89 } from './ages.ts';
import { masked, publicCoding } from './codings.ts';
import type { DeidContext } from './pass.ts';
import { placeOf } from './place.ts';
import type { Draft } from './walk.ts';

const BAND_YEARS = 5;
const BCP_47 = 'urn:ietf:bcp:47';

/**
 * Adds name, birth year, death, place and languages to a replica Patient.
 *
 * @param draft - What the walk kept.
 * @param source - The source Patient.
 * @param context - Keys and the instant at which ages count.
 * @returns The draft, completed.
 */
export function completePatient(draft: Draft, source: Patient, context: DeidContext): Draft {
  const code = context.keys.patientToken.slice(3, 6).toUpperCase();
  draft['name'] = [{ text: `Patient [${code}]`, family: '***', given: ['***'] }];
  if (isWanted('birthDate', context)) Object.assign(draft, birth(source, context));
  // A death whose date cannot be shifted is still a death.
  if (
    source.deceasedDateTime !== undefined &&
    draft['deceasedDateTime'] === undefined &&
    isWanted('deceasedBoolean', context)
  )
    draft['deceasedBoolean'] = true;
  if (context.profile === 'safe-harbor' && isWanted('address', context)) {
    const place = placeOf(source.address);
    if (place) draft['address'] = [place];
  }
  const communication = isWanted('communication', context) ? languages(source.communication) : [];
  if (communication.length > 0) draft['communication'] = communication;
  return draft;
}

/** What is made here can be narrowed away like what is kept. */
function isWanted(name: string, { narrow }: DeidContext): boolean {
  return narrow?.includes(`Patient.${name}`) !== true;
}

/**
 * The year of birth: in `pseudonymised` down to a multiple of five, in `safe-harbor` as it is. Whoever is over 89 at `at` (or was, at
 * death) has no year at all but the mark `masked`, which is the one category "90 or older": any year, even a band, would show the age.
 */
function birth(source: Patient, { at, profile }: DeidContext): Draft {
  const { birthDate, deceasedDateTime } = source;
  const year = birthYear(birthDate);
  if (year === 0) return birthDate === undefined ? {} : { _birthDate: masked() };
  if (isOver89(birthDate as string, deceasedDateTime, at)) return { _birthDate: masked() };
  return { birthDate: String(profile === 'safe-harbor' ? year : year - (year % BAND_YEARS)) };
}

/** Only common languages (R4 value set `languages`), with a region that is in it, otherwise without: a rare one identifies. */
function languages(source: unknown): Draft[] {
  if (!Array.isArray(source)) return [];
  return source.flatMap((entry: Patient['communication'] extends (infer E)[] | undefined ? E : never) => {
    const coding: unknown = entry?.language?.coding;
    const known = (Array.isArray(coding) ? coding : []).flatMap(
      (each) => publicCoding(each) ?? withoutRegion(each) ?? []
    );
    if (known.length === 0) return [];
    const preferred = entry.preferred;
    return [{ language: { coding: known.slice(0, 1) }, ...(typeof preferred === 'boolean' && { preferred }) }];
  });
}

function withoutRegion(value: unknown): Coding | undefined {
  const { system, code } = Object(value) as Readonly<Record<string, unknown>>;
  return system === BCP_47 && typeof code === 'string'
    ? publicCoding({ system, code: code.slice(0, Math.max(0, code.indexOf('-'))) })
    : undefined;
}
