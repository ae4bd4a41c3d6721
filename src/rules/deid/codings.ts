/** Codings: the system and the code, when both are public; never a label, a version or a user's choice. */
import type { CodeableConcept, Coding } from '@medplum/fhirtypes';
import { isLoinc } from '../../fhir/loinc.ts';
import type { Grammar } from './code-systems.ts';
import { CODE_SYSTEMS } from './tables.generated.ts';
import { ucumCode } from './ucum.ts';

const HL7 = 'http://terminology.hl7.org/CodeSystem/';
export const DATA_ABSENT_REASON = `${HL7}data-absent-reason`;
export const DATA_ABSENT_EXTENSION = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';

type Check = (code: string) => boolean;

const GRAMMARS: Readonly<Record<Grammar, Check>> = {
  // Term, answer (LA) and part (LP) codes; all end in a check digit.
  loinc: isLoinc,
  // Partition 00 (international) or 10 (an extension, after a namespace of seven digits): a concept. Then the Verhoeff digit.
  sct: (code) => /^[1-9](?:\d{2,14}00|\d{7,14}10)\d$/.test(code) && !TELEPHONE.test(code) && isVerhoeff(code),
  // Below three million, as issued so far: longer numbers are telephones, dates and records.
  rxnorm: (code) => /^(?:[1-9]\d{0,5}|[12]\d{6})$/.test(code),
  // Letters stand where ICD-10-CM has them, so that they spell nothing.
  icd10: (code) => /^[A-Z]\d[0-9AB](?:\.[0-9A-FXZ](?:[0-9X]{0,2}|[0-9X]{2}[0-9A-Z]))?$/.test(code),
  icd9: (code) => /^(?:\d{3}|[VE]\d{2,3})(?:\.\d{1,2})?$/.test(code),
  cpt: (code) => /^\d{4}[0-9AFTU]$/.test(code),
  hcpcs: (code) => /^[A-V]\d{4}$/.test(code),
  ndc: (code) =>
    /^(?:\d{4}-\d{4}-\d\d|\d{5}-\d{3}-\d\d|\d{5}-\d{4}-\d{1,2}|0\d{9}|\d{11})$/.test(code) && !TELEPHONE.test(code),
  nucc: (code) => /^\d{3}[0-9A-Z]{2}\d{4}X$/.test(code),
  atc: (code) => /^[A-DGHJLMNPRSV](?:[0-2]\d(?:[A-X](?:[A-X](?:\d\d)?)?)?)?$/.test(code),
  ucum: (code) => ucumCode(code) === code,
  'two-digits': (code) => /^\d\d$/.test(code),
  'three-digits': (code) => /^\d{1,3}$/.test(code),
};

/** A number of the North American plan, perhaps with the country before it. */
const TELEPHONE = /^1?[2-9]\d{9}$/;

const CHECKS: ReadonlyMap<string, Check> = new Map(
  Object.entries(CODE_SYSTEMS).map(([name, codes]) => {
    const system = name.replace('@', HL7);
    if (codes.startsWith('~')) return [system, GRAMMARS[codes.slice(1) as Grammar]];
    const known = new Set(codes.split('|'));
    return [system, (code: string): boolean => known.has(code)];
  })
);

/**
 * A coding as it may leave.
 *
 * @param value - A Coding of the source.
 * @returns System and code, or undefined when the system is not public or the code is not one of its codes.
 */
export function publicCoding(value: unknown): Coding | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { system, code } = value as Readonly<Record<string, unknown>>;
  if (typeof system !== 'string' || typeof code !== 'string') return undefined;
  return CHECKS.get(system)?.(code) ? { system, code } : undefined;
}

/**
 * A CodeableConcept as it may leave.
 *
 * @param value - A CodeableConcept of the source.
 * @returns Its public codings, or undefined when there are none.
 */
export function publicConcept(value: unknown): CodeableConcept | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const source = (value as Readonly<Record<string, unknown>>)['coding'];
  if (!Array.isArray(source)) return undefined;
  const coding: Coding[] = [];
  for (const each of source) {
    const kept = publicCoding(each);
    if (kept) coding.push(kept);
  }
  return coding.length > 0 ? { coding } : undefined;
}

/**
 * What stands for a required element that may not leave (FHIR R4 extension data-absent-reason, code `masked`).
 *
 * @returns An element with the extension and nothing else: a valid Coding or CodeableConcept.
 */
export function masked(): Pick<Coding & CodeableConcept, 'extension'> {
  return { extension: [{ url: DATA_ABSENT_EXTENSION, valueCode: 'masked' }] };
}

const DIHEDRAL = '0123456789123406789523401789563401289567401239567859876043216598710432765982104387659321049876543210';
const PERMUTATION = '01234567891576283094580379614289160435279453126870428657390127938064157046913258';

/** The Verhoeff check digit of SNOMED CT identifiers (Release File Specification §6). */
function isVerhoeff(code: string): boolean {
  let check = 0;
  for (let i = 0; i < code.length; i += 1) {
    const digit = code.charCodeAt(code.length - 1 - i) - 48;
    const permuted = PERMUTATION.charCodeAt((i % 8) * 10 + digit) - 48;
    check = DIHEDRAL.charCodeAt(check * 10 + permuted) - 48;
  }
  return check === 0;
}
