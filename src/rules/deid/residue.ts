/**
 * The last look before a resource is sealed: a second checker that knows neither the keep-list nor the tables and asks only what a
 * replica resource may look like. Where the transform says what leaves, this says what may never be there.
 */
import type { Resource } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { PatientKeys } from './keys.ts';
import type { DeidReason } from './reasons.ts';
import type { PatientFacts } from './sweep.ts';
import { isVocabulary, sweep, sweepNumber, sweepToken } from './sweep.ts';

/** What the check may know. */
export interface Evidence {
  readonly keys: PatientKeys;
  readonly systems: Systems;
  /** The source resource: the only place that an outgoing date may come from. */
  readonly source: Resource;
  readonly facts: PatientFacts;
}

type Hit = Extract<DeidReason, `residue-${string}`>;
type Fields = Readonly<Record<string, unknown>>;

/** Elements that hold names, places, contacts or text in every FHIR type; none is in a copy. */
const FORBIDDEN: ReadonlySet<string> = new Set(
  'id|display|div|telecom|address|photo|contact|contained|note|modifierExtension|line|city|district|state|postalCode|valueString|valueUri|valueUrl|valueBase64Binary|valueAttachment|comment|description|title|data|url_|patientInstruction|conclusion|presentedForm|version|versionId|lastUpdated|source|author|project|account|compartment|implicitRules|userSelected|timeOfDay|dayOfWeek|valueTime|link|generalPractitioner|managingOrganization|performer|individual|serviceProvider'.split(
    '|'
  )
);

const TOKEN = /^[a-z]{2,3}_[bcdfghjkmpqrtvwx]{32}$/;
const PUBLIC_SYSTEM =
  /^(?:http:\/\/(?:loinc\.org|snomed\.info\/sct|unitsofmeasure\.org|www\.nlm\.nih\.gov\/research\/umls\/rxnorm|www\.ama-assn\.org\/go\/cpt|www\.nubc\.org\/patient-discharge|hl7\.org\/fhir\/sid\/[a-z0-9-]{3,12}|terminology\.hl7\.org\/CodeSystem\/[A-Za-z0-9-]{3,60})|https:\/\/www\.(?:nubc\.org\/CodeSystem\/PatDischargeStatus|cms\.gov\/Medicare\/Coding\/HCPCSReleaseCodeSets)|urn:ietf:bcp:47)$/;
const COMMON_SYSTEMS: ReadonlySet<string> = new Set([
  'http://loinc.org',
  'http://snomed.info/sct',
  'http://unitsofmeasure.org',
  'http://terminology.hl7.org/CodeSystem/observation-category',
]);
const MASK_URL = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';
const DATE = /^\d{4}-\d\d(?:-\d\d)?(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/;
/** E-mail, URL, SSN, ZIP+4, telephone, UUID, IP address, coordinates, or any white space (no code has it). */
const SHAPES =
  /[@\s]|:\/\/|www\.|\b\d{3}-\d{2}-\d{4}\b|\b\d{5}-\d{4}\b|\+\d{7}|\(\d{3}\)|\b\d{3}[-.]\d{3}[-.]\d{4}\b|\b\d{3}-\d{4}\b|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{1,3}(?:\.\d{1,3}){3}\b|-?\d{1,3}\.\d{4,},/i;
const BARE_NUMBER_SYSTEMS = /^https?:\/\/(?:loinc|snomed|www\.(?:nlm|ama-assn|nubc)|hl7\.org\/fhir\/sid\/)/;
/** Digits, and the check digit of LOINC. */
const NUMBER = /^\d{1,18}(?:-\d)?$/;
const MAX_DEPTH = 12;

/**
 * Checks an outgoing resource.
 *
 * @param output - The de-identified resource, before its meta is written.
 * @param evidence - The source side.
 * @returns What was found, or undefined when the resource may be sealed.
 */
export function residue(output: Fields, evidence: Evidence): Hit | undefined {
  const { keys, systems, source, facts } = evidence;
  const isPatient = output['resourceType'] === 'Patient';
  return checkObject(output, { keys, systems, source, facts, isPatient, dates: undefined }, 0);
}

interface Scope extends Evidence {
  readonly isPatient: boolean;
  /** The dates of the source, gathered when the first date is met. */
  dates: Set<string> | undefined;
}

function checkObject(object: Fields, scope: Scope, depth: number): Hit | undefined {
  if (depth > MAX_DEPTH) return 'residue-element';
  for (const name of Object.keys(object)) {
    const hit = checkMember(name, object[name], object, scope, depth);
    if (hit) return hit;
  }
  return undefined;
}

function checkMember(name: string, value: unknown, parent: Fields, scope: Scope, depth: number): Hit | undefined {
  if (FORBIDDEN.has(name)) return 'residue-element';
  if (name === 'extension') return isMask(value) ? undefined : 'residue-element';
  if (name === 'name')
    return depth === 0 && scope.isPatient && isMaskedName(value, scope.keys) ? undefined : 'residue-element';
  if (name === 'text') return 'residue-element';
  if (name === 'identifier') return checkIdentifier(value, scope, depth);
  if (name === 'birthDate')
    return isBand(value, (scope.source as { readonly birthDate?: unknown }).birthDate) ? undefined : 'residue-date';
  return checkValue(name, value, parent, scope, depth);
}

function checkValue(name: string, value: unknown, parent: Fields, scope: Scope, depth: number): Hit | undefined {
  if (typeof value === 'string') return checkString(name, value, parent, scope);
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'residue-element';
  if (typeof value === 'boolean') return undefined;
  if (Array.isArray(value)) {
    if (value.length === 0) return 'residue-element';
    for (const each of value) {
      const hit = Array.isArray(each) ? 'residue-element' : checkValue(name, each, parent, scope, depth);
      if (hit) return hit;
    }
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return 'residue-element';
  return checkObject(value as Fields, scope, depth + 1);
}

function checkString(name: string, text: string, parent: Fields, scope: Scope): Hit | undefined {
  if (name === 'resourceType' || (name === 'type' && parent['identifier'] !== undefined)) {
    return /^[A-Z][A-Za-z]{3,40}$/.test(text) ? undefined : 'residue-shape';
  }
  if (name === 'system') return COMMON_SYSTEMS.has(text) || PUBLIC_SYSTEM.test(text) ? undefined : 'residue-shape';
  if (name === 'reference') return checkReference(text, scope);
  if (isVocabulary(text)) return undefined;
  if (NUMBER.test(text) && BARE_NUMBER_SYSTEMS.test(String(parent['system']))) {
    return sweepNumber(text, scope.facts) ? 'residue-sweep' : undefined;
  }
  if (DATE.test(text)) return checkDate(text, scope);
  if ((name === 'unit' || name === 'code') && parent['system'] === 'http://unitsofmeasure.org')
    return checkUnit(text, scope);
  if (text.length > 64 || SHAPES.test(text)) return 'residue-shape';
  if (/^\d{5,}$/.test(text)) return 'residue-shape';
  return sweep(text, scope.facts) ? 'residue-sweep' : undefined;
}

/** A unit has no white space and is short; what is long enough in it to be a word must not be one of the patient's. */
function checkUnit(text: string, scope: Scope): Hit | undefined {
  if (text.length > 40 || /[@\s]|\d{5}/.test(text)) return 'residue-shape';
  const words = text.match(/[A-Za-z]{4,}/g);
  return words?.some((word) => !/^(?:score|count|mmol|mosm)$/.test(word) && scope.facts.words.has(word.toLowerCase()))
    ? 'residue-sweep'
    : undefined;
}

function checkReference(text: string, { systems, facts }: Scope): Hit | undefined {
  const bar = text.indexOf('|');
  const token = text.slice(bar + 1);
  const expected = token.startsWith('pt_')
    ? `Patient?identifier=${systems.patientToken}`
    : `Encounter?identifier=${systems.resourceToken}`;
  if (text.slice(0, bar) !== expected || !TOKEN.test(token)) return 'residue-reference';
  return sweepToken(token, facts) ? 'residue-sweep' : undefined;
}

/** The identifier of a resource is a list of one, that of a reference is one: our system, our token, nothing else. */
function checkIdentifier(value: unknown, { systems, facts }: Scope, depth: number): Hit | undefined {
  const one: unknown = depth === 0 ? (Array.isArray(value) && value.length === 1 ? value[0] : undefined) : value;
  if (typeof one !== 'object' || one === null || Object.keys(one).length !== 2) return 'residue-reference';
  const { system, value: token } = one as Fields;
  if (typeof token !== 'string' || !TOKEN.test(token)) return 'residue-reference';
  if (system !== (token.startsWith('pt_') ? systems.patientToken : systems.resourceToken)) return 'residue-reference';
  return sweepToken(token, facts) ? 'residue-sweep' : undefined;
}

/** The only extension of a copy says that something is masked. */
function isMask(value: unknown): boolean {
  const one = Array.isArray(value) && value.length === 1 ? (value[0] as Fields) : {};
  return one['url'] === MASK_URL && one['valueCode'] === 'masked' && Object.keys(one).length === 2;
}

function isMaskedName(value: unknown, keys: PatientKeys): boolean {
  const code = keys.patientToken.slice(3, 6).toUpperCase();
  return JSON.stringify(value) === `[{"text":"Patient [${code}]","family":"***","given":["***"]}]`;
}

/** A year only, no later than the true one, and not the true one unless that is a multiple of five. */
function isBand(value: unknown, birthDate: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{3}[05]$/.test(value) || typeof birthDate !== 'string') return false;
  const gap = Number(birthDate.slice(0, 4)) - Number(value);
  return gap >= 0 && gap < 5;
}

const DAY = 86_400_000;
const HYPHEN = 45;

/**
 * Every day-precise date of a copy must be a date of the source, shifted. A date that slipped through unshifted is then found even though
 * it looks like any other; and a shifted date that happens to equal the birth date is not mistaken for it.
 */
function checkDate(text: string, scope: Scope): Hit | undefined {
  if (text.length === 7) return undefined;
  scope.dates ??= datesIn(scope.source);
  const { shiftDays, shiftMs } = scope.keys;
  const time = Date.parse(text);
  for (const date of scope.dates) {
    if (text.length === 10) {
      if (Date.parse(date.slice(0, 10)) + shiftDays * DAY === time) return undefined;
    } else if (date.length > 10) {
      const shifted = Date.parse(date) + shiftMs;
      if (shifted === time || shifted - (((shifted % 1000) + 1000) % 1000) === time) return undefined;
    }
  }
  return 'residue-date';
}

/** Every string of the source that begins like a day, by a walk that needs no stack. */
function datesIn(source: unknown): Set<string> {
  const dates = new Set<string>();
  const open: unknown[] = [source];
  const look = (value: unknown): void => {
    if (typeof value === 'object') {
      if (value !== null) open.push(value);
    } else if (typeof value === 'string' && value.length >= 10 && value.length < 40) {
      if (value.charCodeAt(4) === HYPHEN && value.charCodeAt(7) === HYPHEN) dates.add(value);
    }
  };
  while (open.length > 0) {
    const node = open.pop() as Fields;
    if (Array.isArray(node)) for (const each of node) look(each);
    else for (const name in node) look(node[name]);
  }
  return dates;
}
