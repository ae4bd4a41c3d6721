/** Ed25519 (RFC 8032) over texts of ours: seals of days and manifests of archives. Deterministic, so nothing here rolls dice. */
import { Buffer } from 'node:buffer';
import { createHash, createHmac, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { MacKey } from './event-mac.ts';

/** Signs, and gives what others need to check it. */
export interface Signer {
  /** Names the key: the start of the SHA-256 of its public part. */
  readonly kid: string;
  /** SPKI, PEM. */
  readonly publicKey: string;
  /** For the keyed hashes of single events; derived from the same secret. */
  readonly mac: MacKey;
  /** @returns The signature, base64url. */
  sign(text: string): string;
}

const PKCS8 = '302e020100300506032b657004220420';

/**
 * @param seed - 32 bytes, hexadecimal.
 * @returns The signer.
 */
export function signerOf(seed: string): Signer {
  const key = createPrivateKey({ key: Buffer.from(PKCS8 + seed, 'hex'), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'pem', type: 'spki' });
  const kid = kidOf(publicKey);
  return {
    kid,
    publicKey,
    mac: { kid, key: createHmac('sha256', seed).update('audit-mac/1').digest('hex') },
    sign: (text) => sign(null, Buffer.from(text, 'utf8'), key).toString('base64url'),
  };
}

/**
 * @param publicKey - SPKI, PEM.
 * @returns The name of the key.
 */
export function kidOf(publicKey: string): string {
  return createHash('sha256').update(publicKey.trim()).digest('hex').slice(0, 16);
}

/**
 * @param text - What was signed.
 * @param signature - Base64url.
 * @param publicKey - SPKI, PEM.
 * @returns Whether the owner of that key signed that text.
 */
export function isSignedBy(text: string, signature: string, publicKey: string): boolean {
  return verify(null, Buffer.from(text, 'utf8'), createPublicKey(publicKey), Buffer.from(signature, 'base64url'));
}
