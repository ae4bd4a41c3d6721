/**
 * Originals at rest as JWE compact serialisations (RFC 7516 §3.1): `dir` (RFC 7518 §4.5) and A256GCM (§5.3). Written here, since
 * `jose` does not work in Medplum's vm context; `test/remote/jwe.test.ts` proves against `jose` that these are JWEs like any other.
 */
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import type { Config } from '../config/load.ts';
import type { Label, Sealer, Vault } from '../ports.ts';
import { decrypt, encrypt } from './aead.io.ts';
import type { AeadKey } from './aead.io.ts';

const SALT = 'medplum-consent-sync/payload';

type PayloadKey = NonNullable<Config['payloadKey']>;

/**
 * Seals originals. The protected header names the record's token and version, and GCM authenticates the header (RFC 7516 §5.1,
 * step 14): a JWE that was put in the place of another, of whatever patient or version, does not open there.
 *
 * @param key - The project's payload key.
 * @returns The sealer.
 */
export function payloadSealer({ version, secret, previous }: PayloadKey): Sealer {
  const kid = kidOf(version);
  return {
    kid,
    ...(previous && { formerKid: kidOf(version - 1) }),
    seal(text, { token, version: ver }) {
      const header = { alg: 'dir', enc: 'A256GCM', kid, typ: 'JWE', cty: 'application/fhir+json', token, ver };
      const head = Buffer.from(JSON.stringify(header), 'utf8').toString('base64url');
      const { iv, tag, text: encrypted } = encrypt(contentKey(secret, token), text, head);
      // The second part is the encrypted key; with `dir` there is none (RFC 7516 §5.1, step 3).
      return [head, '', ...[iv, encrypted, tag].map((part) => part.toString('base64url'))].join('.');
    },
  };
}

/**
 * Seals, and opens what this key or the one before it has sealed.
 *
 * @param key - The project's payload key.
 * @returns The vault.
 */
export function payloadVault(key: PayloadKey): Vault {
  const { version, secret, previous } = key;
  const secrets = new Map([[kidOf(version), secret], ...(previous ? [[kidOf(version - 1), previous] as const] : [])]);
  return {
    ...payloadSealer(key),
    open(sealed, label) {
      const [head = '', encryptedKey, iv = '', text = '', tag = '', ...rest] = sealed.trim().split('.');
      const header = encryptedKey === '' && rest.length === 0 ? headerOf(head) : undefined;
      const known = secrets.get(String(header?.['kid']));
      const isOurs = header?.['alg'] === 'dir' && header['enc'] === 'A256GCM' && header['crit'] === undefined;
      if (!isOurs || known === undefined || header['token'] !== label.token || header['ver'] !== label.version) {
        return undefined;
      }
      return decrypt(contentKey(known, label.token), { iv: bytes(iv), text: bytes(text), tag: bytes(tag) }, head);
    },
  };
}

const kidOf = (version: number): string => `payload-${version}`;

const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');

function headerOf(head: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(bytes(head).toString('utf8')) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/**
 * One key per record, by HKDF-SHA256 (RFC 5869) for one block of output: random IVs of 96 bits allow 2^32 texts under one key.
 *
 * @param secret - The project's payload key.
 * @param token - Of the record.
 * @returns 32 bytes.
 */
export function contentKey(secret: string, token: Label['token']): AeadKey {
  const prk = createHmac('sha256', SALT).update(secret).digest();
  return createHmac('sha256', prk).update(`jwe\u0000${token}\u0001`).digest();
}
