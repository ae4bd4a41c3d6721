/** Authenticated encryption, AES-256-GCM (NIST SP 800-38D) with a random IV: the same for everything that the bots keep encrypted. */
import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export const IV_BYTES = 12;
export const TAG_BYTES = 16;

/** 32 bytes. */
export type AeadKey = Parameters<typeof createCipheriv>[1];

/** An encrypted text in its parts. */
export interface Box {
  readonly iv: Buffer;
  readonly tag: Buffer;
  readonly text: Buffer;
}

/**
 * @param key - The key.
 * @param text - What is encrypted, as UTF-8.
 * @param aad - What is not encrypted but bound to it.
 * @returns The parts; never the same twice.
 */
export function encrypt(key: AeadKey, text: string, aad = ''): Box {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(aad, 'utf8'));
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return { iv, tag: cipher.getAuthTag(), text: encrypted };
}

/**
 * @param key - The key.
 * @param box - The parts.
 * @param aad - What it is bound to.
 * @returns The text, or undefined when key, text, tag or what it is bound to is another.
 */
export function decrypt(key: AeadKey, { iv, tag, text }: Box, aad = ''): string | undefined {
  // A shorter tag would be accepted, and is easier to forge (SP 800-38D, appendix C).
  if (iv.length !== IV_BYTES || tag.length !== TAG_BYTES) {
    return undefined;
  }
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv);
    decipher.setAAD(Buffer.from(aad, 'utf8'));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
