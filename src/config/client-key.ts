/** The private key by which the bots sign in: read, and judged before anything is signed with it. */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject, PublicJwk } from 'node:crypto';

export const SIGNING_ALGORITHMS = ['RS384', 'ES384', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** A key that may be used. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly alg: SigningAlgorithm;
  readonly kid: string;
  /** As it stands in the setting. */
  readonly text: string;
}

/** RFC 7518 §3.3: RSA keys of 2048 bits or more. */
const MIN_RSA_BITS = 2048;

/**
 * Reads a private key: PEM (PKCS #8 or the older forms, line breaks as they are or as `\n`) or one JWK (RFC 7517).
 *
 * @param text - As it stands in the setting.
 * @param wanted - The algorithm, if one was set: otherwise RS384 for RSA and ES384 for P-384, the two that SMART asks for.
 * @param kid - The key id, if one was set: otherwise that of the JWK, or the key's thumbprint (RFC 7638).
 * @returns The key, or what is wrong with it, without a word of it.
 */
export function readSigningKey(text: string, wanted?: string, kid?: string): SigningKey | { readonly problem: string } {
  const key = parse(text);
  if (!key) {
    return { problem: 'is not a private key: give PEM or a JWK, unencrypted' };
  }
  const details = key.asymmetricKeyDetails ?? {};
  const isRsa = key.asymmetricKeyType === 'rsa';
  if (!isRsa && details.namedCurve !== 'secp384r1') {
    return { problem: 'must be an RSA key or one on the curve P-384' };
  }
  if (isRsa && (details.modulusLength ?? 0) < MIN_RSA_BITS) {
    return { problem: `is an RSA key of less than ${MIN_RSA_BITS} bits` };
  }
  const alg = (wanted ?? (isRsa ? 'RS384' : 'ES384')) as SigningAlgorithm;
  if (alg.startsWith('RS') !== isRsa) {
    return { problem: `is ${isRsa ? 'an RSA key' : 'a key on P-384'}, which cannot sign ${alg}` };
  }
  return { key, alg, kid: kid ?? kidIn(text) ?? thumbprint(publicJwk(key)), text };
}

/**
 * @param key - A key.
 * @returns Its public half, to be registered with the server (SMART Backend Services, "Registering a SMART Backend Service").
 */
export function jwkOf({ key, alg, kid }: SigningKey): PublicJwk & Readonly<Record<string, unknown>> {
  return { ...publicJwk(key), kid, alg, use: 'sig', key_ops: ['verify'] };
}

function parse(text: string): KeyObject | undefined {
  try {
    const jwk = text.trimStart().startsWith('{') ? (JSON.parse(text) as Readonly<Record<string, unknown>>) : undefined;
    return createPrivateKey(jwk ? { key: jwk, format: 'jwk' } : text.replaceAll('\\n', '\n'));
  } catch {
    // The parser's message may quote the key.
    return undefined;
  }
}

function kidIn(text: string): string | undefined {
  const kid = text.trimStart().startsWith('{') ? (JSON.parse(text) as { readonly kid?: unknown }).kid : undefined;
  return typeof kid === 'string' && kid !== '' ? kid : undefined;
}

function publicJwk(key: KeyObject): PublicJwk {
  return createPublicKey(key).export({ format: 'jwk' });
}

/** RFC 7638 §3.2: the required members, in the order of their names, without white space. */
function thumbprint({ kty, n, e, crv, x, y }: PublicJwk): string {
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
