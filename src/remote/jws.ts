/**
 * Signed JWTs (RFC 7515 compact serialization, RFC 7519) by `node:crypto`: `jose` fails in Medplum's vm context, whose byte
 * arrays are of another realm. The tests verify with `jose` what is signed here.
 */
import { Buffer } from 'node:buffer';
import { createHmac, sign } from 'node:crypto';
import type { SigningKey } from '../config/client-key.ts';

export type Claims = Readonly<Record<string, string | number>>;

/**
 * @param claims - The claims.
 * @param key - The private key; its algorithm and key id go into the header.
 * @returns The JWT.
 */
export function signJwt(claims: Claims, { key, alg, kid }: SigningKey): string {
  const input = `${encode({ typ: 'JWT', alg, kid })}.${encode(claims)}`;
  const digest = alg === 'RS256' ? 'sha256' : 'sha384';
  // ECDSA signatures in JOSE are r || s (RFC 7518 §3.4), where OpenSSL's default is DER.
  const signature = sign(
    digest,
    Buffer.from(input, 'utf8'),
    alg === 'ES384' ? { key, dsaEncoding: 'ieee-p1363' } : key
  );
  return `${input}.${signature.toString('base64url')}`;
}

/**
 * @param claims - The claims.
 * @param secret - The shared secret (HS256, RFC 7518 §3.2).
 * @returns The JWT.
 */
export function signJwtBySecret(claims: Claims, secret: string): string {
  const input = `${encode({ typ: 'JWT', alg: 'HS256' })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}
