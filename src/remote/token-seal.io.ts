/** Authenticated encryption of an access token at rest: AES-256-GCM (NIST SP 800-38D) under a key derived from the client's secret. */
import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { HeldToken } from './token.io.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * @param token - The token and until when it may be used.
 * @param secret - What the key is derived from.
 * @returns Base64url text; never the same twice.
 */
export function sealToken(token: HeldToken, secret: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret), iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(token), 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
}

/**
 * @param sealed - What `sealToken` gave.
 * @param secret - What the key is derived from.
 * @returns The token, or undefined when it was sealed under another secret or has been changed.
 */
export function openToken(sealed: string, secret: string): HeldToken | undefined {
  try {
    const bytes = Buffer.from(sealed, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', keyOf(secret), bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    return JSON.parse(text.toString('utf8')) as HeldToken;
  } catch {
    // A rotated secret, a changed text: there is simply no token here, and the next one replaces it.
    return undefined;
  }
}

/** The secret is random already; the label keeps this use of it apart from signing in. */
function keyOf(secret: string): Parameters<typeof createCipheriv>[1] {
  return createHmac('sha256', secret).update('medplum-consent-sync/token-cache').digest();
}
