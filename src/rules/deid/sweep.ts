/** The patient's own names, identifiers, addresses and contacts, as a thing to search for. Part of the residue check; knows no table. */
import type { Patient, Resource } from '@medplum/fhirtypes';
import { isVocabulary } from './residue/vocabulary.ts';

/** What must not be found. Made once per patient. */
export interface PatientFacts {
  /** Single words: of names, maiden name, birthplace, street and city; folded. */
  readonly words: ReadonlySet<string>;
  /** Identifier values, telephone numbers, e-mail addresses, ids and postal codes, without punctuation; folded. */
  readonly values: ReadonlySet<string>;
  /** Those of the values that could stand in a token, which has sixteen consonants and nothing else: seldom any. */
  readonly spelt: readonly string[];
  /** Dates of the source and what they were found to have become; the events of a visit share a few. A memo of the caller's. */
  readonly shifted: Map<string, string>;
  /** Codings that were found clean, by system. The same kind of memo; its size is that of the vocabulary of one patient's record. */
  readonly clean: ReadonlyMap<string, ReadonlySet<string>>;
  /** Adds to `clean`. */
  readonly remember: (system: string, code: string) => void;
  /** References that were found to be in the token space. The same kind of memo. */
  readonly references: Set<string>;
}

/** Properties of a Patient that say what a value is, not whose. */
const STRUCTURE: ReadonlySet<string> = new Set(
  'resourceType|meta|div|status|url|system|use|code|coding|type|gender|language|communication|maritalStatus|prefix|suffix|period|rank|preferred|active'.split(
    '|'
  )
);

/** A day, which can be written in other orders. */
const DAY = /^(\d{4})-(\d\d)-(\d\d)/;

/** Below this length a number is no evidence: RxNorm and CPT are full of them. */
const MIN_VALUE_LENGTH = 6;
/** A ZIP code could stand as a code of CPT or RxNorm. */
const MIN_NUMBER_LENGTH = 5;

/**
 * Gathers what must not be found of a patient.
 *
 * @param patient - The source Patient.
 * @returns The facts.
 */
export function factsOf(patient: Patient): PatientFacts {
  const words = new Set<string>();
  const values = new Set<string>();
  const open: unknown[] = [patient];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node === 'string') learn(node, words, values);
    else if (Array.isArray(node)) for (const each of node) open.push(each);
    else if (typeof node === 'object' && node !== null) {
      for (const [name, value] of Object.entries(node)) if (!STRUCTURE.has(name)) open.push(value);
    }
  }
  const clean = new Map<string, Set<string>>();
  return {
    words,
    values,
    spelt: [...values].filter((value) => /^[bcdfghjkmpqrtvwx]+$/.test(value)),
    shifted: new Map(),
    clean,
    remember: (system, code) => {
      const known = clean.get(system);
      if (known) known.add(code);
      else clean.set(system, new Set([code]));
    },
    references: new Set(),
  };
}

/**
 * The same of a practitioner, an organization or a place. What it is leaves, so the words for that are not looked for.
 *
 * @param stub - The source resource.
 * @returns The facts.
 */
export function factsOfStub(stub: Resource): PatientFacts {
  const { physicalType: _kind, mode: _mode, operationalStatus: _bed, ...own } = stub as unknown as Fields;
  const known = JSON.stringify(own, (name, value: unknown) => (name === 'purpose' ? undefined : value));
  return factsOf(JSON.parse(known) as Patient);
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Whether a string of the output gives the patient away. Words are compared whole, so that `Ng` is not found in `ng/mL`; what stands in
 * a code is compared whole or by its words of three letters and more.
 *
 * @param text - A string of the output that is neither a date, a token nor a system.
 * @param facts - What must not be found.
 * @returns True for a hit.
 */
export function sweep(text: string, facts: PatientFacts): boolean {
  if (isVocabulary(text)) return false;
  const folded = fold(text);
  if (facts.words.has(folded) || (folded.length >= MIN_VALUE_LENGTH && facts.values.has(squeeze(folded)))) return true;
  for (const word of folded.split(/[^\p{L}]+/u))
    if (word.length >= 3 && word !== folded && facts.words.has(word)) return true;
  return false;
}

/**
 * Whether a token was made from the patient's own identifiers in the clear.
 *
 * @param token - The value of an identifier of the output, known to have the shape of a token.
 * @param facts - What must not be found.
 * @returns True for a hit.
 */
export function sweepToken(token: string, facts: PatientFacts): boolean {
  return facts.spelt.some((value) => token.includes(value));
}

/** A long number in a longer one, such as a telephone number after the code of its country. */
function holds(digits: string, value: string): boolean {
  return value.length > MIN_VALUE_LENGTH && digits.includes(value);
}

/**
 * Whether a code of digits is one of the patient's own numbers, a part of one, or has one in it.
 *
 * @param code - A code of a system whose codes are numbers.
 * @param facts - What must not be found.
 * @returns True for a hit.
 */
export function sweepNumber(code: string, facts: PatientFacts): boolean {
  if (code.length < MIN_NUMBER_LENGTH) return false;
  const digits = code.replace(/\D/g, '');
  if (facts.values.has(digits)) return true;
  if (digits.length < MIN_VALUE_LENGTH) return false;
  for (const value of facts.values)
    if (
      value.endsWith(digits) ||
      (digits.length > MIN_VALUE_LENGTH && (value.includes(digits) || holds(digits, value)))
    )
      return true;
  return false;
}

function learn(text: string, words: Set<string>, values: Set<string>): void {
  if (text.length > 500) return;
  const folded = fold(text);
  const squeezed = squeeze(folded);
  if (squeezed.length >= MIN_VALUE_LENGTH || /^\d{5}$/.test(text)) values.add(squeezed);
  const [, year, month, day] = DAY.exec(text) ?? [];
  if (day !== undefined)
    for (const spelt of [`${month}${day}${year}`, `${day}${month}${year}`]) values.add(spelt.replace(/^0/, ''));
  for (const word of folded.split(/[^\p{L}]+/u)) if (word.length >= 2) words.add(word);
}

/** Lower case without accents. */
function fold(text: string): string {
  const lower = text.toLowerCase();
  return /^[\u0000-\u007f]*$/.test(lower) ? lower : lower.normalize('NFD').replace(/\p{M}+/gu, '');
}

/** Letters and digits only, so that 999-12-3456 is found as 999123456. */
function squeeze(folded: string): string {
  return folded.replace(/[^\p{L}\p{N}]+/gu, '');
}
