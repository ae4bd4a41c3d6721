/** The one extension of a copy: that its original is kept, encrypted, where it came from. */
import type { Systems } from '../../fhir/systems.ts';

/**
 * The extension `…/encrypted-payload`. Its URI is made from the token that the copy has in any case, so no id of the source leaves, the
 * copy says nothing new, and only the source can tell what the URI leads to. Not a reference: a server would want to resolve that.
 *
 * @param systems - Our systems.
 * @param token - The token of the record.
 * @returns The extension.
 */
export function payloadPointer(systems: Systems, token: string): { readonly url: string; readonly valueUri: string } {
  return { url: systems.encryptedPayload, valueUri: `${systems.payload}/${token}` };
}
