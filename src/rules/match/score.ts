/**
 * How probable it is that two records are of one person: the sum of weights of evidence in bits (Fellegi and Sunter 1969). A weight is
 * log2(m/u) for agreement and log2((1-m)/(1-u)) for its absence, m among records of one person, u among those of two. The shares are estimates from
 * the literature on hospital records, rounded; they were not fitted to any data set of ours. Pure.
 */
import { dateLikeness } from './dates.ts';
import { familyLikeness, givenLikeness } from './names.ts';
import type { Person } from './person.ts';

/** HL7 `match-grade`. */
export type Grade = 'certain' | 'probable' | 'possible' | 'certainly-not';

/** From how many bits on. */
export interface Thresholds {
  readonly certain: number;
  readonly probable: number;
  readonly possible: number;
}

/** What speaks for and against. */
export interface Score {
  readonly bits: number;
  readonly grade: Grade;
}

/** Bits for agreement, for something like it, and for its absence where both tell. */
const WEIGHTS = {
  // m 0.95, u 0.01; alike m 0.03, u 0.006. A surname that differs says less: people marry.
  family: { same: 6.6, alike: 4, different: -3 },
  // m 0.9, u 0.015.
  given: { same: 6, alike: 3, different: -4 },
  // m 0.97, u one of 365 × 70.
  birthDate: { same: 14.6, transposed: 5, near: 4, different: -6 },
  // m 0.99, u 0.5.
  gender: { same: 1, different: -5.6 },
  // m 0.8; a household shares it, so it counts for less than its u.
  address: { same: 7, postalCode: 4, different: -1.5 },
  phone: { same: 8, different: -1 },
  email: { same: 9, different: -0.5 },
  identifier: { same: 20, different: -6 },
} as const;

/**
 * Compares two people.
 *
 * @param a - One.
 * @param b - The other.
 * @param thresholds - From how many bits on.
 * @returns Bits and grade. Whatever the bits: who is called otherwise or is of another sex is at most possible (twins), whose birth date
 *   differs at most probable, and certain takes more than name, date and sex.
 */
export function scoreOf(a: Person, b: Person, thresholds: Thresholds): Score {
  const family = familyLikeness(a.families, b.families);
  const given = givenLikeness(a.givens, b.givens);
  const born = dateLikeness(a.birthDate, b.birthDate);
  const gender = !a.gender || !b.gender ? 'unknown' : a.gender === b.gender ? 'same' : 'different';
  const address = addressOf(a, b);
  const [phone, email] = [overlap(a.phones, b.phones), overlap(a.emails, b.emails)];
  const identifier = identifierOf(a, b);
  const bits = [
    weight(WEIGHTS.family, family.kind),
    weight(WEIGHTS.given, given.kind),
    weight(WEIGHTS.birthDate, born),
    weight(WEIGHTS.gender, gender),
    weight(WEIGHTS.address, address),
    weight(WEIGHTS.phone, phone),
    weight(WEIGHTS.email, email),
    weight(WEIGHTS.identifier, identifier),
  ].reduce((sum, each) => sum + each, 0);
  // A postal code is shared by thousands.
  const isSupported = [address, phone, email, identifier].includes('same');
  const isSure =
    born === 'same' &&
    given.kind === 'same' &&
    gender !== 'different' &&
    identifier !== 'different' &&
    (family.kind === 'same' || family.kind === 'alike' || identifier === 'same') &&
    isSupported;
  const most: Grade =
    given.kind === 'different' || gender === 'different' ? 'possible' : isSure ? 'certain' : 'probable';
  return { bits: Math.round(bits * 10) / 10, grade: lower(gradeOf(bits, thresholds), most) };
}

/** From the surest on. */
const GRADES: readonly Grade[] = ['certain', 'probable', 'possible', 'certainly-not'];

/**
 * @param a - A grade.
 * @param b - Another.
 * @returns The less sure of both.
 */
export function lower(a: Grade, b: Grade): Grade {
  return GRADES[Math.max(GRADES.indexOf(a), GRADES.indexOf(b))] ?? 'certainly-not';
}

function gradeOf(bits: number, { certain, probable, possible }: Thresholds): Grade {
  if (bits >= certain) {
    return 'certain';
  }
  return bits >= probable ? 'probable' : bits >= possible ? 'possible' : 'certainly-not';
}

function weight(weights: Readonly<Partial<Record<string, number>>>, kind: string): number {
  return weights[kind] ?? 0;
}

function overlap(a: readonly string[], b: readonly string[]): 'same' | 'different' | 'unknown' {
  if (a.length === 0 || b.length === 0) {
    return 'unknown';
  }
  return a.some((each) => b.includes(each)) ? 'same' : 'different';
}

function addressOf(a: Person, b: Person): 'same' | 'postalCode' | 'different' | 'unknown' {
  if (overlap(a.addresses, b.addresses) === 'same') {
    return 'same';
  }
  const code = overlap(a.postalCodes, b.postalCodes);
  return code === 'same' ? 'postalCode' : code;
}

/** Two numbers of one system speak against one person; numbers of different systems say nothing. */
function identifierOf(a: Person, b: Person): 'same' | 'different' | 'unknown' {
  const isSame = overlap(a.identifiers, b.identifiers);
  const systemsOf = (person: Person): string[] => person.identifiers.map((each) => each.slice(0, each.indexOf('|')));
  return isSame === 'same' ? 'same' : overlap(systemsOf(a), systemsOf(b)) === 'same' ? 'different' : 'unknown';
}
