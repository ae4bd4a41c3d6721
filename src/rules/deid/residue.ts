/**
 * The last look before a resource is sealed: a second checker that knows neither the keep-list nor the tables and asks only what a
 * replica resource may look like. Where the transform says what leaves, this says what may never be there.
 */
import type { Resource } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { PatientKeys } from './keys.ts';
import type { Profile } from './pass.ts';
import type { DeidReason } from './reasons.ts';
import type { PatientFacts } from './sweep.ts';
import { isVocabulary, sweep, sweepNumber, sweepToken } from './sweep.ts';

/** What the check may know. */
export interface Evidence {
  readonly keys: PatientKeys;
  readonly systems: Systems;
  readonly profile: Profile;
  /** The instant at which ages count. */
  readonly at: string;
  /** The source resource: the only place that an outgoing date may come from. */
  readonly source: Resource;
  readonly facts: PatientFacts;
}

type Hit = Extract<DeidReason, `residue-${string}`>;
type Fields = Readonly<Record<string, unknown>>;

/** Elements that hold names, places, contacts or text in every FHIR type; none is in a copy. */
const FORBIDDEN: ReadonlySet<string> = new Set(
  'id|display|div|telecom|address|photo|contact|contained|note|modifierExtension|line|city|district|state|postalCode|valueUri|valueUrl|valueBase64Binary|valueAttachment|comment|description|title|data|url_|patientInstruction|conclusion|presentedForm|version|versionId|lastUpdated|source|author|project|account|compartment|implicitRules|userSelected|timeOfDay|dayOfWeek|valueTime|link|generalPractitioner|managingOrganization|performer|individual|serviceProvider|recorder|asserter|requester|custodian|authenticator|location|manufacturer|careTeam|onBehalfOf|lotNumber|series|documentType|progress|requisition|groupIdentifier|masterIdentifier|alias|position|securityLabel|expirationDate|hash|url|instantiatesUri|instantiatesCanonical'.split(
    '|'
  )
);

const TOKEN = /^[a-z]{2,3}_[bcdfghjkmpqrtvwx]{32}$/;
const PUBLIC_SYSTEM =
  /^(?:http:\/\/(?:loinc\.org|snomed\.info\/sct|unitsofmeasure\.org|www\.nlm\.nih\.gov\/research\/umls\/rxnorm|www\.ama-assn\.org\/go\/cpt|www\.nubc\.org\/patient-discharge|nucc\.org\/provider-taxonomy|hl7\.org\/fhir\/(?:sid|us\/core\/CodeSystem)\/[a-z0-9-]{3,40}|terminology\.hl7\.org\/CodeSystem\/[A-Za-z0-9-]{3,60})|https:\/\/www\.(?:nubc\.org\/CodeSystem\/PatDischargeStatus|cms\.gov\/Medicare\/Coding\/HCPCSReleaseCodeSets)|urn:ietf:bcp:47)$/;
const COMMON_SYSTEMS: ReadonlySet<string> = new Set([
  'http://loinc.org',
  'http://snomed.info/sct',
  'http://unitsofmeasure.org',
  'http://terminology.hl7.org/CodeSystem/observation-category',
]);
const MASK_URL = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';
const YEAR = /^\d{4}$/;
const DATE = /^\d{4}-\d\d(?:-\d\d)?(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/;
/** E-mail, URL, SSN, ZIP+4, telephone, UUID, IP address, coordinates, or any white space (no code has it). */
const SHAPES =
  /[@\s]|:\/\/|www\.|\b\d{3}-\d{2}-\d{4}\b|\b\d{5}-\d{4}\b|\+\d{7}|\(\d{3}\)|\b\d{3}[-.]\d{3}[-.]\d{4}\b|\b\d{3}-\d{4}\b|[0-9a-f]{8}-[0-9a-f]{4}-|\b\d{1,3}(?:\.\d{1,3}){3}\b|-?\d{1,3}\.\d{4,},/i;
const BARE_NUMBER_SYSTEMS = /^https?:\/\/(?:loinc|snomed|www\.(?:nlm|ama-assn|nubc)|hl7\.org\/fhir\/sid\/)/;
/** Digits, the check digit of LOINC, and the three parts of an NDC. */
const NUMBER = /^(?:\d{1,18}(?:-\d)?|\d{4,5}-\d{3,4}-\d{1,2})$/;
const MAX_DEPTH = 12;

/**
 * Checks an outgoing resource.
 *
 * @param output - The de-identified resource, before its meta is written.
 * @param evidence - The source side.
 * @returns What was found, or undefined when the resource may be sealed.
 */
export function residue(output: Fields, evidence: Evidence): Hit | undefined {
  const { keys, systems, profile, at, source, facts } = evidence;
  const isPatient = output['resourceType'] === 'Patient';
  return checkObject(output, { keys, systems, profile, at, source, facts, isPatient, path: [] }, 0);
}

interface Scope extends Evidence {
  readonly isPatient: boolean;
  /** The elements on the way to the one that is looked at. */
  readonly path: string[];
}

function checkObject(object: Fields, scope: Scope, depth: number): Hit | undefined {
  if (depth > MAX_DEPTH) return 'residue-element';
  const { system, code } = object;
  // The same codings come again and again; what was found clean of this patient's names is clean.
  const isCoding = typeof system === 'string' && typeof code === 'string' && isPair(object);
  if (!isCoding) return checkMembers(object, scope, depth);
  let clean = scope.facts.clean.get(system);
  if (clean?.has(code)) return undefined;
  const hit = checkMembers(object, scope, depth);
  if (hit) return hit;
  if (!clean) scope.facts.clean.set(system, (clean = new Set()));
  clean.add(code);
  return undefined;
}

/** Whether there are two members and no more. */
function isPair(object: Fields): boolean {
  let members = 0;
  for (const _ in object) if ((members += 1) > 2) return false;
  return members === 2;
}

function checkMembers(object: Fields, scope: Scope, depth: number): Hit | undefined {
  for (const name of Object.keys(object)) {
    const hit = checkMember(name, object[name], object, scope, depth);
    if (hit) return hit;
  }
  return undefined;
}

function checkMember(name: string, value: unknown, parent: Fields, scope: Scope, depth: number): Hit | undefined {
  if (name === 'address' && depth === 0) return checkPlace(value, scope);
  if (FORBIDDEN.has(name) || name.endsWith('String')) return 'residue-element';
  if (name === 'extension')
    return isMask(value) || (depth === 0 && isPointer(value, parent, scope)) ? undefined : 'residue-element';
  if (name === 'name')
    return depth === 0 && scope.isPatient && isMaskedName(value, scope.keys) ? undefined : 'residue-element';
  if (name === 'text') return 'residue-element';
  if (name === 'identifier') return checkIdentifier(value, scope, depth);
  if (name === 'birthDate') return isYear(value, scope) ? undefined : 'residue-date';
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
  return checkBelow(name, value as Fields, scope, depth);
}

function checkBelow(name: string, value: Fields, scope: Scope, depth: number): Hit | undefined {
  scope.path.push(name);
  const hit = checkObject(value, scope, depth + 1);
  scope.path.pop();
  return hit;
}

function checkString(name: string, text: string, parent: Fields, scope: Scope): Hit | undefined {
  if (name === 'resourceType' || (name === 'type' && isReference(parent))) {
    return /^[A-Z][A-Za-z]{3,40}$/.test(text) ? undefined : 'residue-shape';
  }
  if (name === 'system') return COMMON_SYSTEMS.has(text) || PUBLIC_SYSTEM.test(text) ? undefined : 'residue-shape';
  if (name === 'reference') return checkReference(text, scope);
  if (isVocabulary(text)) return undefined;
  if (NUMBER.test(text) && BARE_NUMBER_SYSTEMS.test(String(parent['system']))) {
    return sweepNumber(text, scope.facts) ? 'residue-sweep' : undefined;
  }
  if (DATE.test(text)) return checkDate(name, text, scope);
  if (YEAR.test(text) && parent['system'] === undefined) return checkYear(name, text, scope);
  if ((name === 'unit' || name === 'code') && parent['system'] === 'http://unitsofmeasure.org')
    return checkUnit(text, scope);
  if (text.length > 64 || SHAPES.test(text)) return 'residue-shape';
  if (/^\d{5,}$/.test(text)) return 'residue-shape';
  return sweep(text, scope.facts) ? 'residue-sweep' : undefined;
}

/** A resource has a list of identifiers, a reference one. */
function isReference({ identifier }: Fields): boolean {
  return identifier !== undefined && !Array.isArray(identifier);
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

/** That the original is kept: under this very copy's token, and nothing more. */
function isPointer(value: unknown, { identifier }: Fields, { systems }: Scope): boolean {
  const own = Array.isArray(identifier) ? (identifier[0] as Fields | undefined)?.['value'] : undefined;
  const uri = `${systems.namespace}/payload/${String(own)}`;
  return (
    typeof own === 'string' &&
    JSON.stringify(value) === JSON.stringify([{ url: `${systems.namespace}/encrypted-payload`, valueUri: uri }])
  );
}

function isMaskedName(value: unknown, keys: PatientKeys): boolean {
  const code = keys.patientToken.slice(3, 6).toUpperCase();
  return JSON.stringify(value) === `[{"text":"Patient [${code}]","family":"***","given":["***"]}]`;
}

/**
 * A year only, and none of anybody who lives and has reached the year of the 90th birthday's end. `pseudonymised`: no later than the true
 * one, and not the true one unless that is a multiple of five. `safe-harbor`: the true one.
 */
function isYear(value: unknown, { source, profile, at }: Scope): boolean {
  const { birthDate, deceasedDateTime } = source as {
    readonly birthDate?: unknown;
    readonly deceasedDateTime?: unknown;
  };
  if (typeof value !== 'string' || !/^\d{4}$/.test(value) || typeof birthDate !== 'string') return false;
  const gap = Number(birthDate.slice(0, 4)) - Number(value);
  if (deceasedDateTime === undefined && Number(at.slice(0, 4)) - Number(birthDate.slice(0, 4)) > 90) return false;
  return profile === 'safe-harbor' ? gap === 0 : /[05]$/.test(value) && gap >= 0 && gap < 5;
}

/** ZIP3 areas of 20,000 people or fewer with anybody in them at all, Census 2010; said here again, by what may not leave. */
const SMALL_ZIP3 = /^(?:036|059|102|20[2-5]|369|556|692|753|772|82[13]|87[89]|884|893)$/;

/** The place of a Patient in `safe-harbor`: a state, three digits that begin a ZIP code of the source, the United States. Of others, the state. */
function checkPlace(value: unknown, { source, profile, isPatient }: Scope): Hit | undefined {
  const place: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof place !== 'object' || place === null) return 'residue-element';
  const { state = 'XX', postalCode, country = 'US', ...rest } = place as Fields;
  const isCoarse = /^[A-Z]{2}$/.test(String(state)) && country === 'US' && Object.keys(rest).length === 0;
  if (!isCoarse || (isPatient ? profile !== 'safe-harbor' : postalCode !== undefined)) return 'residue-element';
  if (postalCode === undefined || postalCode === '000') return undefined;
  if (typeof postalCode !== 'string' || !/^\d{3}$/.test(postalCode) || SMALL_ZIP3.test(postalCode))
    return 'residue-element';
  const { address } = source as { readonly address?: readonly { readonly postalCode?: unknown }[] };
  const isOwn = address?.some((each) => typeof each.postalCode === 'string' && each.postalCode.startsWith(postalCode));
  return isOwn ? undefined : 'residue-element';
}

const DAY = 86_400_000;

/**
 * Every day-precise date of a copy must be a date of the same element of the source, shifted. A date that slipped through unshifted is then
 * found even though it looks like any other; and a shifted date that happens to equal the birth date is not mistaken for it.
 */
function checkDate(name: string, text: string, scope: Scope): Hit | undefined {
  if (scope.profile === 'safe-harbor') return 'residue-date';
  if (text.length === 7) return undefined;
  const { shifted } = scope.facts;
  const isOwn = isAnyOrigin(name, scope, (origin) => {
    if (shifted.get(origin) === text) return true;
    if (!isShifted(origin, text, scope.keys)) return false;
    shifted.set(origin, text);
    return true;
  });
  return isOwn ? undefined : 'residue-date';
}

function isAnyOrigin(name: string, { source, path }: Scope, test: (origin: string) => boolean): boolean {
  path.push(name);
  const isFound = isAnyAt(source, path, 0, test);
  path.pop();
  return isFound;
}

/** A year of the same element, or one to which it can have been shifted. */
function checkYear(name: string, text: string, scope: Scope): Hit | undefined {
  const most = scope.profile === 'safe-harbor' ? 0 : 2;
  const isOwn = isAnyOrigin(name, scope, (origin) => {
    const gap = Number(text) - Number(origin.slice(0, 4));
    return gap >= 0 && gap <= most;
  });
  return isOwn ? undefined : 'residue-date';
}

function isShifted(origin: string, text: string, { shiftDays, shiftMs }: PatientKeys): boolean {
  const time = Date.parse(text);
  if (text.length === 10) return Date.parse(origin.slice(0, 10)) + shiftDays * DAY === time;
  const shifted = Date.parse(origin) + shiftMs;
  return origin.length > 10 && (shifted === time || shifted - (((shifted % 1000) + 1000) % 1000) === time);
}

/** Whether a string of the source at a path, in whatever item of the lists on the way, passes a test. Lists in lists are no FHIR. */
function isAnyAt(node: unknown, path: readonly string[], at: number, test: (origin: string) => boolean): boolean {
  if (Array.isArray(node)) return node.some((each) => !Array.isArray(each) && isAnyAt(each, path, at, test));
  if (at === path.length) return typeof node === 'string' && test(node);
  if (typeof node !== 'object' || node === null) return false;
  return isAnyAt((node as Fields)[path[at] as string], path, at + 1, test);
}
