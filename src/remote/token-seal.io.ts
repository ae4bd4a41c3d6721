/** Encryption of what lies in the source, under keys derived from secrets: an access token, and addresses that are as good as one. */
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { decrypt, encrypt, IV_BYTES, TAG_BYTES } from './aead.io.ts';
import type { AeadKey } from './aead.io.ts';
import type { Sealing } from '../ports.ts';
import type { HeldToken } from './token.io.ts';

/** The secrets are random already; the labels keep these uses of them apart from signing in and from each other. */
const TOKEN = 'medplum-consent-sync/token-cache';
const PLACE = 'medplum-consent-sync/partner-place';

/**
 * @param token - The token and until when it may be used.
 * @param secret - What the key is derived from.
 * @returns Base64url text; never the same twice.
 */
export function sealToken(token: HeldToken, secret: string): string {
  return sealed(keyOf(secret, TOKEN), JSON.stringify(token));
}

/**
 * @param sealed - What `sealToken` gave.
 * @param secret - What the key is derived from.
 * @returns The token, or undefined when it was sealed under another secret or has been changed: the next one replaces it.
 */
export function openToken(sealed: string, secret: string): HeldToken | undefined {
  const text = opened(keyOf(secret, TOKEN), sealed);
  return text === undefined ? undefined : (JSON.parse(text) as HeldToken);
}

/**
 * @param secret - What the key is derived from.
 * @returns Hides addresses of the partner's files, which may let in whoever has them.
 */
export function placeSealing(secret: string): Sealing {
  const key = keyOf(secret, PLACE);
  return { seal: (text) => sealed(key, text), open: (text) => opened(key, text) };
}

function sealed(key: AeadKey, plain: string): string {
  const { iv, tag, text } = encrypt(key, plain);
  return Buffer.concat([iv, tag, text]).toString('base64url');
}

function opened(key: AeadKey, text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return decrypt(key, {
    iv: bytes.subarray(0, IV_BYTES),
    tag: bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES),
    text: bytes.subarray(IV_BYTES + TAG_BYTES),
  });
}

function keyOf(secret: string, label: string): AeadKey {
  return createHmac('sha256', secret).update(label).digest();
}
