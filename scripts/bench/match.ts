/**
 * How well patients are looked up: candidates are found by the searches that the bot sends, among people of one town, and graded by its rules. Whoever is linked
 * without a person has to be right.
 */
import type { Patient } from '@medplum/fhirtypes';
import { chosen } from '../../src/rules/match/choose.ts';
import { personOf } from '../../src/rules/match/person.ts';
import { demographicsOf, queriesOf } from '../../src/rules/match/queries.ts';
import type { Query } from '../../src/rules/match/queries.ts';
import { scoreOf } from '../../src/rules/match/score.ts';
import { registers } from '../samples/duplicates.ts';
import type { Lookup, Registers } from '../samples/duplicates.ts';

/** The defaults of the settings. */
export const THRESHOLDS = { certain: 30, probable: 18, possible: 8 };
/** Looked at once, when the rules were written; seeds 1, 2 and 3 were looked at on the way. */
export const HELD_OUT = { seed: 20_261_122, size: 2000 };
const SYSTEMS = ['urn:town:ssn'];

/** What came of the look-ups of one kind. */
export interface Tally {
  lookups: number;
  /** Linked without a person, rightly and wrongly. */
  linked: number;
  wrong: number;
  /** The right one is among those who are shown to a person, and is the first of them. */
  shown: number;
  first: number;
  /** Nobody is shown. */
  none: number;
  /** Candidates shown who are not the one. */
  others: number;
}

/**
 * @param seed - Of the registers.
 * @param size - People in the register.
 * @returns What came of the look-ups, by kind.
 */
export function measure(seed: number, size: number): ReadonlyMap<string, Tally> {
  const { register, lookups } = registers(seed, size);
  const find = finder(register);
  const tallies = new Map<string, Tally>();
  for (const lookup of lookups) {
    const tally = tallies.get(lookup.kind) ?? {
      lookups: 0,
      linked: 0,
      wrong: 0,
      shown: 0,
      first: 0,
      none: 0,
      others: 0,
    };
    tallies.set(lookup.kind, tally);
    judge(lookup, find, tally);
  }
  return tallies;
}

function judge({ patient, truth }: Lookup, find: (query: Query) => Iterable<Patient>, tally: Tally): void {
  const isShared = (system: string): boolean => SYSTEMS.includes(system);
  const demographics = demographicsOf(patient, SYSTEMS);
  const self = personOf(demographics, isShared);
  const found = new Map(queriesOf(demographics).flatMap((query) => [...find(query)].map((one) => [one.id ?? '', one])));
  const candidates = chosen(
    [...found].map(([id, one]) => ({ id, ...scoreOf(self, personOf(one, isShared), THRESHOLDS) }))
  );
  const [first] = candidates;
  tally.lookups++;
  if (first?.grade === 'certain') {
    tally.linked += Number(first.id === truth);
    tally.wrong += Number(first.id !== truth);
    return;
  }
  tally.none += Number(!first);
  tally.shown += Number(candidates.some(({ id }) => id === truth));
  tally.first += Number(first !== undefined && first.id === truth);
  tally.others += candidates.filter(({ id }) => id !== truth).length;
}

/** Search as FHIR R4 defines it: names by their begin, without case and accents; all parameters; each list is an "or". */
function finder(register: Registers['register']): (query: Query) => Iterable<Patient> {
  const plain = (text = ''): string => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const values: Readonly<Record<string, (patient: Patient) => string[]>> = {
    family: ({ name = [] }) => name.map(({ family }) => plain(family)),
    given: ({ name = [] }) => name.flatMap(({ given = [] }) => given.map(plain)),
    birthdate: (patient) => [patient.birthDate ?? ''],
    phone: ({ telecom = [] }) => telecom.flatMap(({ system, value }) => (system === 'phone' ? [value ?? ''] : [])),
    email: ({ telecom = [] }) => telecom.flatMap(({ system, value }) => (system === 'email' ? [value ?? ''] : [])),
    identifier: ({ identifier = [] }) => identifier.map(({ system, value }) => `${system}|${value}`),
  };
  return (query) =>
    register.filter((patient) =>
      Object.entries(query).every(([name, text]) => {
        const isName = name === 'family' || name === 'given';
        const wanted = text.split(',').map((each) => (isName ? plain(each) : each));
        const own = values[name]?.(patient) ?? [];
        return own.some((value) => wanted.some((each) => (isName ? value.startsWith(each) : value === each)));
      })
    );
}

/**
 * @param tallies - By kind.
 * @returns A table for documents.
 */
export function tableOf(tallies: ReadonlyMap<string, Tally>): string {
  const rows = [...tallies].map(
    ([kind, { lookups, linked, wrong, shown, first, none, others }]) =>
      `| ${[kind, lookups, linked, wrong, shown, first, none, others].join(' | ')} |`
  );
  return [
    '| kind | look-ups | linked rightly | linked wrongly | shown to a person | of these as the first | nobody shown | others shown |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  console.log(tableOf(measure(Number(process.argv[2] ?? HELD_OUT.seed), Number(process.argv[3] ?? HELD_OUT.size))));
}
