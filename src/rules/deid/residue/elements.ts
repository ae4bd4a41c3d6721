/** Elements that a copy never has, and those that may hold one thing only. */
import { checkIdentifier, isPointer } from './identity.ts';
import { checkPlace, isMaskedName, isYear } from './person.ts';
import type { Check, Fields, Hit } from './scope.ts';

/** Elements that hold names, places, contacts or text in every FHIR type; none is in a copy. */
const FORBIDDEN =
  'id|display|div|text|telecom|photo|contact|contained|note|modifierExtension|line|city|district|state|postalCode|valueUri|valueUrl|valueBase64Binary|valueAttachment|comment|description|title|data|url_|patientInstruction|conclusion|presentedForm|version|versionId|lastUpdated|source|author|project|account|compartment|implicitRules|userSelected|timeOfDay|dayOfWeek|valueTime|link|generalPractitioner|managingOrganization|performer|individual|serviceProvider|recorder|asserter|requester|custodian|authenticator|location|manufacturer|careTeam|onBehalfOf|lotNumber|series|documentType|progress|requisition|groupIdentifier|masterIdentifier|alias|position|securityLabel|expirationDate|hash|url|instantiatesUri|instantiatesCanonical';

const MASK_URL = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';

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
    (value, _parent, { isPatient, keys }, depth) => refuseUnless(depth === 0 && isPatient && isMaskedName(value, keys)),
  ],
  ['identifier', (value, _parent, scope, depth) => checkIdentifier(value, scope, depth)],
  ['birthDate', (value, _parent, scope) => (isYear(value, scope) ? undefined : 'residue-date')],
]);

const LAST_OF_STRING = 'g'.charCodeAt(0);

/**
 * The check of an element that is known by its name, wherever it stands.
 *
 * @param name - The name of an element of the output.
 * @returns The check, or undefined when its value says what it is. Whatever is called `…String` is text.
 */
export function checkNamed(name: string): Check | undefined {
  const isText = name.charCodeAt(name.length - 1) === LAST_OF_STRING && name.endsWith('String');
  return isText ? refuse : CHECKS.get(name);
}

function refuseUnless(isAllowed: boolean): Hit | undefined {
  return isAllowed ? undefined : 'residue-element';
}

/** The only extension of an element says that something is masked. */
function isMask(value: unknown): boolean {
  const one = Array.isArray(value) && value.length === 1 ? (Object(value[0]) as Fields) : {};
  return one['url'] === MASK_URL && one['valueCode'] === 'masked' && Object.keys(one).length === 2;
}
