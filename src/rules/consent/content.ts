/** `provision.class` (rule 18) and `provision.code` (rule 19): what the data are. */
import type { CodeableConcept, Coding, MedicationRequest } from '@medplum/fhirtypes';
import { DATA_CLASSES } from '../../fhir/data-classes.ts';
import { codingsOf, normalSystem, sameCoding } from './coding.ts';
import type { Elements } from './facts.ts';
import { mediaType } from './facts.ts';
import type { Inquiry } from './inquiry.ts';
import type { Kind, Truth } from './three-valued.ts';
import { some } from './three-valued.ts';

const PRINCIPAL = ['code', 'type', 'category', 'medicationCodeableConcept', 'vaccineCode'];

/**
 * Rule 18, and our own data classes: a permit must list every class of the resource (or its type), a deny any one.
 *
 * @param listed - The classes of a provision.
 * @param inquiry - The request.
 * @param kind - Whether the provision permits or denies.
 * @returns Unknown for other systems, and for our classes if the resource cannot be classified.
 */
export function classHolds(listed: readonly Coding[], inquiry: Inquiry, kind: Kind): Truth {
  const ours = listed
    .filter((coding) => normalSystem(coding.system) === inquiry.dataClassSystem)
    .map((coding) => coding.code);
  const classes: readonly (string | undefined)[] = ours.length ? inquiry.classes() : [];
  const isListed = (name: string | undefined): boolean => ours.includes(name);
  const held = kind === 'permit' ? classes.every(isListed) : classes.some(isListed);
  return some([
    ...listed
      .filter((coding) => normalSystem(coding.system) !== inquiry.dataClassSystem)
      .map((coding) => isOfClass(coding, inquiry)),
    ...(ours.length ? [classes.length && (held || ours.every(isKnownClass)) ? held : undefined] : []),
  ]);
}

function isKnownClass(name: string | undefined): boolean {
  return DATA_CLASSES.some((one) => one === name);
}

function isOfClass({ system, code }: Coding, { resource, facts }: Inquiry): Truth {
  switch (code && normalSystem(system)) {
    case 'http://hl7.org/fhir/resource-types':
      return (
        [resource.resourceType, 'Resource', 'DomainResource'].includes(code!) ||
        (/^[A-Z][A-Za-z]+$/.test(code!) ? false : undefined)
      );
    case 'urn:ietf:rfc:3986':
      // Every resource conforms to the definition of its type, whether it says so or not.
      return [
        `http://hl7.org/fhir/StructureDefinition/${resource.resourceType}`,
        ...(resource.meta?.profile ?? []),
      ].some((profile) => profile.replace(/\|.*$/, '') === code);
    case 'urn:ietf:bcp:13':
      return facts.contentTypes.includes(mediaType(code!)) || (facts.contentTypes.includes('') ? undefined : false);
    default:
      return undefined;
  }
}

/**
 * Rule 19: a permit looks at the principal code of the resource, a deny at every coding in it.
 *
 * @param listed - The codes of a provision.
 * @param inquiry - The request.
 * @param kind - Whether the provision permits or denies.
 * @returns Unknown if a listed concept has no code, and for a deny if the resource is coded elsewhere, without system, or in words only.
 */
export function codeHolds(listed: readonly CodeableConcept[], inquiry: Inquiry, kind: Kind): Truth {
  const principal = principalConcepts(inquiry);
  const present = kind === 'permit' ? codingsOf(principal) : inquiry.facts.codings;
  const found = listed.map((concept) =>
    concept.coding?.length
      ? some(concept.coding.map((code) => (code.system && code.code ? isPresent(code, present) : undefined)))
      : undefined
  );
  const unclear = kind === 'deny' && (isReferenced(inquiry) || principal.some((concept) => !isCoded(concept)));
  return some([...found, unclear ? undefined : false]);
}

/** The same code without a system may be the one that is listed. */
function isPresent(code: Coding, present: readonly Coding[]): Truth {
  return (
    present.some((one) => sameCoding(one, code)) ||
    (present.some((one) => !one.system && one.code === code.code) ? undefined : false)
  );
}

/** A code without a system may be any code. */
function isCoded({ coding }: CodeableConcept): boolean {
  return !!coding?.some(({ system, code }) => system && code);
}

/**
 * The concepts that say what a resource is.
 *
 * @param inquiry - The request.
 * @returns Code, type, category, medication and vaccine.
 */
export function principalConcepts(inquiry: Inquiry): CodeableConcept[] {
  const elements = inquiry.resource as unknown as Elements;
  const concepts = PRINCIPAL.flatMap((name) => elements[name] ?? []);
  return concepts.filter((value) => typeof value === 'object');
}

/** A contained medication was walked with the resource; one elsewhere was not seen. */
function isReferenced({ resource }: Inquiry): boolean {
  const { medicationReference, contained = [] } = resource as MedicationRequest;
  return (
    medicationReference !== undefined && !contained.some(({ id }) => id && medicationReference.reference === `#${id}`)
  );
}
