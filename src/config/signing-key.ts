/** The Ed25519 key that signs the trail, in either of the forms in which one has it. */
import { Buffer } from 'node:buffer';

/** RFC 8410 §7: the DER of a private key is this and the 32 bytes of the seed. */
const PKCS8 = '302e020100300506032b657004220420';

/**
 * @param text - 64 hexadecimal digits (RFC 8032 seed), or PKCS #8 as PEM or base64 (`openssl genpkey -algorithm ed25519`).
 * @returns The seed as hexadecimal digits, or undefined when it is neither.
 */
export function seedOf(text: string): string | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) {
    return text.toLowerCase();
  }
  // A secret of one line may hold its line breaks as two characters.
  const base64 = text.replace(/-----\w+ PRIVATE KEY-----|\\n|\s/g, '');
  const der = Buffer.from(base64, 'base64url').toString('hex');
  return der.length === PKCS8.length + 64 && der.startsWith(PKCS8) ? der.slice(PKCS8.length) : undefined;
}
