/** Elements that a copy never has, and those that may hold one thing only. */
import { checkIdentifier, isPointer } from './identity.ts';
import { checkPlace, isMaskedName, isYear } from './person.ts';
import type { Check, Fields, Hit, Scope } from './scope.ts';

/** Elements that hold names, places, contacts or text in every FHIR type; none is in a copy. */
const FORBIDDEN =
  'id|data|display|div|text|telecom|photo|contained|note|modifierExtension|line|city|district|state|postalCode|valueUri|valueUrl|valueBase64Binary|valueAttachment|comment|description|title|url_|patientInstruction|conclusion|presentedForm|version|versionId|lastUpdated|source|author|project|account|compartment|implicitRules|userSelected|timeOfDay|dayOfWeek|valueTime|link|generalPractitioner|managingOrganization|individual|serviceProvider|recorder|asserter|requester|custodian|authenticator|manufacturer|careTeam|onBehalfOf|lotNumber|series|documentType|progress|requisition|groupIdentifier|masterIdentifier|alias|position|expirationDate|hash|url|instantiatesUri|instantiatesCanonical';

/** Elements of a resource that name somebody or some place, and what else of them may be there. */
const PARTIES: Readonly<Record<string, string>> = {
  contact: 'relationship|purpose|name',
  performer: 'function|actor',
  location: 'location|status|physicalType|period',
  focalDevice: 'action|manipulated',
};

const MASK_URL = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';

/** Elements that name whoever did or wrote it, or where: in a copy, they hold references to stubs or nothing. */
const HOLDERS: ReadonlySet<string> = new Set(
  'generalPractitioner|managingOrganization|performer|individual|serviceProvider|recorder|asserter|requester|custodian|authenticator|location|author|onBehalfOf|actor'.split(
    '|'
  )
);

const refuse: Check = () => 'residue-element';

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ...FORBIDDEN.split('|').map((name) => [name, refuse] as const),
  ['address', (value, _parent, scope, depth) => (depth === 0 ? checkPlace(value, scope) : 'residue-element')],
  [
    'extension',
    (value, parent, scope, depth) => refuseUnless(isMask(value) || (depth === 0 && isPointer(value, parent, scope))),
  ],
  [
    'name',
    (value, _parent, { isPatient, keys }, depth) =>
      refuseUnless(isPatient && (depth === 0 ? isMaskedName(value, keys) : isMasked(value))),
  ],
  ...Object.entries(PARTIES).map(([name, members]) => [name, partyOf(members.split('|'))] as const),
  ...['actor', 'manipulated'].map((name): readonly [string, Check] => [name, (value) => refuseUnless(isMasked(value))]),
  // Of a document, not of anything in it.
  ['securityLabel', (_value, _parent, _scope, depth) => (depth === 0 ? 'look-inside' : 'residue-element')],
  ['identifier', (value, _parent, scope, depth) => checkIdentifier(value, scope, depth)],
  ['birthDate', (value, _parent, scope) => (isYear(value, scope) ? undefined : 'residue-date')],
]);

const LAST_OF_STRING = 'g'.charCodeAt(0);

/**
 * The check of an element that is known by its name, wherever it stands.
 *
 * @param name - The name of an element of the output.
 * @param value - Its value.
 * @param scope - Whether there are stubs.
 * @returns The check, or undefined when its value says what it is. Whatever is called `…String` is text.
 */
export function checkNamed(name: string, value: unknown, { hasStubs }: Pick<Scope, 'hasStubs'>): Check | undefined {
  const isText = name.charCodeAt(name.length - 1) === LAST_OF_STRING && name.endsWith('String');
  if (hasStubs && HOLDERS.has(name) && isReferring(value)) return undefined;
  return isText ? refuse : CHECKS.get(name);
}

/** Who or what it is, further in: the mark `masked` and nothing else. */
function partyOf(members: readonly string[]): Check {
  return (value, _parent, _scope, depth) => {
    if (depth > 0) return refuseUnless(isMasked(value));
    const isKnown =
      Array.isArray(value) &&
      value.every((each) => Object.keys(Object(each) as Fields).every((name) => members.includes(name)));
    return isKnown ? 'look-inside' : 'residue-element';
  };
}

/** References and nothing beside them; what they name is checked further in. */
function isReferring(value: unknown): boolean {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.every((each) => Object.keys(Object(each) as Fields).join() === 'reference');
}

function refuseUnless(isAllowed: boolean): Hit | undefined {
  return isAllowed ? undefined : 'residue-element';
}

function isMasked(value: unknown): boolean {
  const { extension, ...rest } = Object(value) as Fields;
  return isMask(extension) && Object.keys(rest).length === 0;
}

/** The only extension of an element says that something is masked. */
function isMask(value: unknown): boolean {
  const one = Array.isArray(value) && value.length === 1 ? (Object(value[0]) as Fields) : {};
  return one['url'] === MASK_URL && one['valueCode'] === 'masked' && Object.keys(one).length === 2;
}
