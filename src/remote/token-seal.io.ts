/** Encryption of an access token at rest, under a key derived from the client's secret. */
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { decrypt, encrypt, IV_BYTES, TAG_BYTES } from './aead.io.ts';
import type { AeadKey } from './aead.io.ts';
import type { HeldToken } from './token.io.ts';

/**
 * @param token - The token and until when it may be used.
 * @param secret - What the key is derived from.
 * @returns Base64url text; never the same twice.
 */
export function sealToken(token: HeldToken, secret: string): string {
  const { iv, tag, text } = encrypt(keyOf(secret), JSON.stringify(token));
  return Buffer.concat([iv, tag, text]).toString('base64url');
}

/**
 * @param sealed - What `sealToken` gave.
 * @param secret - What the key is derived from.
 * @returns The token, or undefined when it was sealed under another secret or has been changed: the next one replaces it.
 */
export function openToken(sealed: string, secret: string): HeldToken | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  const text = decrypt(keyOf(secret), {
    iv: bytes.subarray(0, IV_BYTES),
    tag: bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES),
    text: bytes.subarray(IV_BYTES + TAG_BYTES),
  });
  return text === undefined ? undefined : (JSON.parse(text) as HeldToken);
}

/** The secret is random already; the label keeps this use of it apart from signing in. */
function keyOf(secret: string): AeadKey {
  return createHmac('sha256', secret).update('medplum-consent-sync/token-cache').digest();
}
