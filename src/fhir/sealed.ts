/**
 * The envelope that only de-identification can close and only the remote client can open.
 *
 * It is an object with a private symbol key rather than a branded intersection: a brand survives
 * `{ ...sealed, name: leak }`, an envelope does not. `test/architecture.test.ts` allows `seal` to `rules/deid`
 * and `open` to `remote` alone.
 */
import type { Resource } from '@medplum/fhirtypes';
import { elementsOf } from './elements.ts';

const contents: unique symbol = Symbol('sealed contents');

/** A resource that has passed de-identification and the residue check; the only thing the replica client accepts. */
export interface Sealed<R extends Resource = Resource> {
  readonly resourceType: R['resourceType'];
  /** The pseudonym under which the replica knows the resource: the value of its one identifier. */
  readonly token: string;
  /** The identifier system of `token`. */
  readonly tokenSystem: string;
  /** The keyed digest of the content, as it stands in `meta.tag`. */
  readonly digest: string;
  readonly [contents]: R;
}

/**
 * Closes an envelope. For `rules/deid` only.
 *
 * @param resource - The de-identified, checked, digest-tagged resource.
 * @param label - What may be known of it without opening it.
 * @returns The sealed resource.
 */
export function seal<R extends Resource>(
  resource: R,
  label: { readonly token: string; readonly tokenSystem: string; readonly digest: string }
): Sealed<R> {
  return { resourceType: resource.resourceType, ...label, [contents]: resource };
}

/**
 * Opens an envelope. For `remote` only.
 *
 * @param sealed - The sealed resource.
 * @returns The resource to send.
 */
export function open<R extends Resource>(sealed: Sealed<R>): R {
  return sealed[contents];
}

/**
 * Says which elements are inside, without opening: names, never values.
 *
 * @param sealed - The sealed resource.
 * @returns As `elementsOf`.
 */
export function elementsWithin(sealed: Sealed): string[] {
  return elementsOf(sealed[contents]);
}
