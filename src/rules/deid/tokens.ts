/** How pseudonyms are spelt. */
import type { Bytes } from 'node:crypto';

/**
 * Sixteen consonants, one per nibble. No digit and no vowel: a token can contain no number, date, ZIP or telephone number and
 * spells no name, so a sweep for such things (ours, or anybody's over the replica) has no false hits in tokens.
 */
const ALPHABET = 'bcdfghjkmpqrtvwx';

/** 16 bytes: 128 bits, so two of 2^40 resources share a token with a chance of 2^-49. */
const TOKEN_BYTES = 16;

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

/** What every token of ours looks like; the residue check has its own copy on purpose. */
export const TOKEN_PATTERN: RegExp = /^[a-z]{2,3}_[bcdfghjkmpqrtvwx]{32}$/;

/**
 * Spells the first 128 bits of a MAC.
 *
 * @param mac - At least 16 bytes.
 * @returns 32 consonants.
 */
export function spell(mac: Bytes): string {
  let text = '';
  for (let i = 0; i < TOKEN_BYTES; i += 1) {
    const byte = mac[i] ?? 0;
    text += ALPHABET.charAt(byte >> 4) + ALPHABET.charAt(byte & 15);
  }
  return text;
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
