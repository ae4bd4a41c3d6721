/** References reduced to what can be compared. */
import type { Reference } from '@medplum/fhirtypes';

/**
 * Reduces a reference to `Type/id`: base URL and history suffix dropped (rule 15).
 *
 * @param reference - A relative or absolute reference.
 * @returns `Type/id`, or the text as it is if it has no such form.
 */
export function reduceReference(reference: string): string {
  const found = /(?:^|\/)([A-Z]\w+\/[^/?#|]+)(?:\/_history\/[^/]+)?$/.exec(reference);
  return found?.[1] ?? reference;
}

/**
 * The reduced text of a Reference.
 *
 * @param reference - The element.
 * @returns Undefined if it is only an identifier or a display, or a contained, conditional or unreadable reference: they compare with
 * nothing, since the same text may mean another in another resource.
 */
export function targetOf(reference: Reference | undefined): string | undefined {
  return typeof reference?.reference === 'string' ? comparable(reduceReference(reference.reference)) : undefined;
}

/**
 * What can be compared of a reduced reference.
 *
 * @param reduced - As `reduceReference` returns it.
 * @returns The same if it is `Type/id` or a URN, else undefined.
 */
export function comparable(reduced: string): string | undefined {
  return /^(?:[A-Z]\w+\/[^/?#|]+|urn:.+)$/.test(reduced) ? reduced : undefined;
}
