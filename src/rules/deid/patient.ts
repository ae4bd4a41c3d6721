/** The elements of the replica Patient that are made rather than kept. */
import type { Patient } from '@medplum/fhirtypes';
import { masked } from './codings.ts';
import type { DeidContext } from './pass.ts';
import { LANGUAGES } from './tables.generated.ts';
import type { Draft } from './walk.ts';

const BAND_YEARS = 5;
const OLDEST_AGE = 89;
const BCP_47 = 'urn:ietf:bcp:47';
const KNOWN_LANGUAGES: ReadonlySet<string> = new Set(LANGUAGES.split('|'));

/**
 * Adds name, birth year band, death and languages to a replica Patient.
 *
 * @param draft - What the walk kept.
 * @param source - The source Patient.
 * @param context - Keys and the instant at which ages count.
 * @returns The draft, completed.
 */
export function completePatient(draft: Draft, source: Patient, context: DeidContext): Draft {
  const code = context.keys.patientToken.slice(3, 6).toUpperCase();
  draft['name'] = [{ text: `Patient [${code}]`, family: '***', given: ['***'] }];
  Object.assign(draft, birth(source, context.at));
  // A death whose date cannot be shifted is still a death.
  if (source.deceasedDateTime !== undefined && draft['deceasedDateTime'] === undefined) draft['deceasedBoolean'] = true;
  const communication = languages(source.communication);
  if (communication.length > 0) draft['communication'] = communication;
  return draft;
}

/**
 * The year of birth, down to a multiple of five. Whoever is over 89 at `at` (or was, at death) has no year at all but the mark
 * `masked`, which is the one category "90 or older" of 45 CFR 164.514(b)(2)(i)(C): any year, even a band, would show the age.
 */
function birth(source: Patient, at: string): Draft {
  const birthDate = source.birthDate;
  const year =
    typeof birthDate === 'string' && /^\d{4}(-\d\d){0,2}$/.test(birthDate) ? Number(birthDate.slice(0, 4)) : 0;
  if (year < 1000) return birthDate === undefined ? {} : { _birthDate: masked() };
  if (isOver89(birthDate as string, source.deceasedDateTime, at)) return { _birthDate: masked() };
  return { birthDate: String(year - (year % BAND_YEARS)) };
}

/** Compares calendar days as text. Unknown parts count as the earliest, and a day is given for time zones: doubt makes older. */
function isOver89(birthDate: string, died: unknown, at: string): boolean {
  const end = typeof died === 'string' && /^\d{4}-\d\d-\d\d/.test(died) && died < at ? died : at;
  const time = Date.parse(end.slice(0, 10));
  const dayAfter = Number.isFinite(time) ? new Date(time + 86_400_000).toISOString().slice(0, 10) : '9999-12-31';
  const day = `${birthDate}-01-01`.slice(0, 10);
  return `${String(Number(day.slice(0, 4)) + OLDEST_AGE + 1).padStart(4, '0')}${day.slice(4)}` <= dayAfter;
}

/** A language without region or script, and only one of the common ones (R4 value set `languages`): a rare one identifies. */
function languages(source: unknown): Draft[] {
  if (!Array.isArray(source)) return [];
  return source.flatMap((entry: Patient['communication'] extends (infer E)[] | undefined ? E : never) => {
    const coding: unknown = entry?.language?.coding;
    const codes = (Array.isArray(coding) ? coding : []).map((each: { system?: unknown; code?: unknown } | null) =>
      each?.system === BCP_47 && typeof each.code === 'string' ? (each.code.split('-')[0] as string) : ''
    );
    const code = codes.find((each) => KNOWN_LANGUAGES.has(each));
    if (code === undefined) return [];
    const preferred = entry.preferred;
    return [{ language: { coding: [{ system: BCP_47, code }] }, ...(typeof preferred === 'boolean' && { preferred }) }];
  });
}
