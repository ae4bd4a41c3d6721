/** Strings of a copy: what they look like, and whose they are. */
import { sweep, sweepNumber } from '../sweep.ts';
import { checkDate, checkYear } from './dates.ts';
import { checkReference, isReference } from './identity.ts';
import type { Fields, Hit, Scope } from './scope.ts';
import { isVocabulary } from './vocabulary.ts';

const PUBLIC_SYSTEM =
  /^(?:http:\/\/(?:loinc\.org|snomed\.info\/sct|unitsofmeasure\.org|www\.nlm\.nih\.gov\/research\/umls\/rxnorm|www\.ama-assn\.org\/go\/cpt|www\.whocc\.no\/atc|ihe\.net\/fhir\/ValueSet\/IHE\.FormatCode\.codesystem|hl7\.org\/fhir\/device-action|www\.nubc\.org\/patient-discharge|nucc\.org\/provider-taxonomy|hl7\.org\/fhir\/(?:sid|us\/core\/CodeSystem)\/[a-z0-9-]{3,40}|terminology\.hl7\.org\/CodeSystem\/[A-Za-z0-9-]{3,60})|https:\/\/www\.(?:nubc\.org\/CodeSystem\/PatDischargeStatus|cms\.gov\/Medicare\/Coding\/HCPCSReleaseCodeSets)|urn:ietf:bcp:47)$/;
const COMMON_SYSTEMS: ReadonlySet<string> = new Set([
  'http://loinc.org',
  'http://snomed.info/sct',
  'http://unitsofmeasure.org',
  'http://terminology.hl7.org/CodeSystem/observation-category',
]);
const UCUM = 'http://unitsofmeasure.org';
const TYPE_NAME = /^[A-Z][A-Za-z]{3,40}$/;
const YEAR = /^\d{4}$/;
const DATE = /^\d{4}-\d\d(?:-\d\d)?(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/;
/** E-mail, URL, SSN, ZIP+4, telephone, UUID, IP address, coordinates, or any white space (no code has it). */
const SHAPES =
  /[@\s]|:\/\/|www\.|\b\d{3}-\d{2}-\d{4}\b|\b\d{5}-\d{4}\b|\+\d{7}|\(\d{3}\)|\b\d{3}[-.]\d{3}[-.]\d{4}\b|\b\d{3}-\d{4}\b|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{1,3}(?:\.\d{1,3}){3}\b|-?\d{1,3}\.\d{4,},/i;
const BARE_NUMBER_SYSTEMS = /^https?:\/\/(?:loinc|snomed|www\.(?:nlm|ama-assn|nubc)|hl7\.org\/fhir\/sid\/)/;
/** Digits, the check digit of LOINC, and the three parts of an NDC. */
const NUMBER = /^(?:\d{1,18}(?:-\d)?|\d{4,5}-\d{3,4}-\d{1,2})$/;
const MAX_LENGTH = 64;
const MAX_UNIT_LENGTH = 40;
const MAX_UNIT_DIGITS = 6;

/**
 * Checks a string by its element, then by its shape, then against the patient's own names and numbers.
 *
 * @param name - The element.
 * @param text - Its value.
 * @param parent - What the element is a member of.
 * @param scope - The source side.
 * @returns What was found.
 */
export function checkString(name: string, text: string, parent: Fields, scope: Scope): Hit | undefined {
  if (name === 'resourceType' || (name === 'type' && isReference(parent))) {
    return TYPE_NAME.test(text) ? undefined : 'residue-shape';
  }
  if (name === 'system') return COMMON_SYSTEMS.has(text) || PUBLIC_SYSTEM.test(text) ? undefined : 'residue-shape';
  if (name === 'reference') return checkReference(text, scope);
  const first = text.charCodeAt(0);
  if (first >= 48 && first <= 57) {
    const hit = checkDigits(name, text, parent, scope);
    if (hit !== 'unknown') return hit;
  } else if (isVocabulary(text)) return undefined;
  if ((name === 'unit' || name === 'code') && parent['system'] === UCUM) return checkUnit(text, scope);
  if (text.length > MAX_LENGTH || SHAPES.test(text)) return 'residue-shape';
  if (/^\d{5,}$/.test(text)) return 'residue-shape';
  return sweep(text, scope.facts) ? 'residue-sweep' : undefined;
}

/**
 * Checks a number: none of the patient's own (a telephone number, a date without punctuation), and none that only a record or a telephone has.
 *
 * @param value - A number of the output.
 * @param scope - The source side.
 * @returns What was found.
 */
export function checkNumber(value: number, { facts }: Scope): Hit | undefined {
  if (!Number.isFinite(value)) return 'residue-element';
  if (value > -100_000 && value < 100_000 && Number.isInteger(value)) return undefined;
  const size = Math.abs(value);
  if (sweepNumber(String(size).replace('.', ''), facts)) return 'residue-sweep';
  if (!Number.isInteger(size)) return size < 1e7 ? undefined : 'residue-shape';
  if (size < 1e7) return undefined;
  return size < 1e15 && /^\d{1,4}0+$/.test(String(size)) ? undefined : 'residue-shape';
}

/** What begins with a digit may be a code of a system whose codes are numbers, a date, or a year. */
function checkDigits(name: string, text: string, parent: Fields, scope: Scope): Hit | undefined | 'unknown' {
  const { system } = parent;
  if (typeof system === 'string' && NUMBER.test(text) && BARE_NUMBER_SYSTEMS.test(system)) {
    return sweepNumber(text, scope.facts) ? 'residue-sweep' : undefined;
  }
  if (DATE.test(text)) return checkDate(name, text, scope);
  if (system === undefined && YEAR.test(text)) return checkYear(name, text, scope);
  return 'unknown';
}

/** A unit has no white space and is short; what is long enough in it to be a word must not be one of the patient's. */
function checkUnit(text: string, { facts }: Scope): Hit | undefined {
  if (facts.clean.get(UCUM)?.has(text)) return undefined;
  if (text.length > MAX_UNIT_LENGTH || /[@\s]|\d{5}/.test(text)) return 'residue-shape';
  if (text.replace(/\D/g, '').length > MAX_UNIT_DIGITS) return 'residue-shape';
  const words = text.match(/[A-Za-z]{4,}/g);
  if (words?.some((word) => !/^(?:score|count|mmol|mosm)$/.test(word) && facts.words.has(word.toLowerCase())))
    return 'residue-sweep';
  facts.remember(UCUM, text);
  return undefined;
}
