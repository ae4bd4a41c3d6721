/** How pseudonyms are spelt. */

/**
 * Sixteen consonants, one per nibble. No digit and no vowel: a token can contain no number, date, ZIP or telephone number and
 * spells no name, so a sweep for such things (ours, or anybody's over the replica) has no false hits in tokens.
 */
const ALPHABET = 'bcdfghjkmpqrtvwx';

const CODES: readonly number[] = [...ALPHABET].map((letter) => letter.charCodeAt(0));

/** 32 nibbles: 128 bits, so two of 2^40 resources share a token with a chance of 2^-49. */
const TOKEN_NIBBLES = 32;

const PREFIX: Readonly<Record<string, string>> = {
  AllergyIntolerance: 'alg',
  CarePlan: 'cpl',
  Condition: 'con',
  DiagnosticReport: 'drp',
  DocumentReference: 'doc',
  Encounter: 'enc',
  Immunization: 'imm',
  Location: 'loc',
  MedicationRequest: 'mrq',
  Observation: 'obs',
  Organization: 'org',
  Patient: 'pt',
  Practitioner: 'prc',
  Procedure: 'prd',
  ServiceRequest: 'srq',
};

/**
 * Spells the first 128 bits of a MAC.
 *
 * @param hex - The MAC, at least 16 bytes, as lower-case hexadecimal.
 * @returns 32 consonants.
 */
export function spell(hex: string): string {
  const codes: number[] = [];
  for (let i = 0; i < TOKEN_NIBBLES; i += 1) codes.push(CODES[nibble(hex.charCodeAt(i))] as number);
  return String.fromCharCode(...codes);
}

function nibble(code: number): number {
  return code - (code < 58 ? 48 : 87);
}

/**
 * The prefix that tells a reader the type of a token.
 *
 * @param resourceType - A FHIR resource type; those without a prefix of their own get `res`.
 * @returns Two or three letters.
 */
export function tokenPrefix(resourceType: string): string {
  return Object.hasOwn(PREFIX, resourceType) ? (PREFIX[resourceType] as string) : 'res';
}
