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
 * @returns Undefined if it is only an identifier or a display, which compare with nothing.
 */
export function targetOf(reference: Reference | undefined): string | undefined {
  return typeof reference?.reference === 'string' ? reduceReference(reference.reference) : undefined;
}
