/** HKDF-SHA256 (RFC 5869) from HMAC alone: the vm has no other key derivation that we may assume. */
import { Buffer } from 'node:buffer';
import { hmac } from './hmac.ts';

/**
 * RFC 5869 §2.2: concentrates the input keying material.
 *
 * @param salt - Not secret; separates this application from others that may hold the same secret.
 * @param secret - The input keying material, as UTF-8.
 * @returns The pseudorandom key, 32 bytes.
 */
export function hkdfExtract(salt: string, secret: string): Buffer {
  return hmac(Buffer.from(salt, 'utf8'), secret);
}

/**
 * RFC 5869 §2.3 for an output of one hash length (32 bytes), which is all we need: T(1) = HMAC(PRK, info | 0x01).
 *
 * @param prk - From `hkdfExtract`.
 * @param info - Purpose and subject of the key; different info, independent keys.
 * @returns The derived key, 32 bytes.
 */
export function hkdfExpand(prk: Buffer, info: string): Buffer {
  return hmac(prk, `${info}\u0001`);
}
