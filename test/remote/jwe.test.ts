/** Our JWEs against `jose`, which reads what we write and writes what we read; and everything that must not open. */
import { compactDecrypt, CompactEncrypt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import { encrypt } from '../../src/remote/aead.io.ts';
import { contentKey, payloadVault } from '../../src/remote/jwe.io.ts';

const SECRET = '6c1f0b7a94e2d358c05be8f1a7d4923065fe1cbb87a9d240e3c69f517b8ad204';
const NEXT = 'f0a8d1c3b59e7264013ba9c8d5e6f7124a6b3c9d80e1f25374b6c8da90e1f357';
const LABEL = { token: 'pt_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx', version: 'v-1' };
const TEXT = JSON.stringify({ resourceType: 'Patient', name: [{ family: 'Ångström' }] });

const vault = payloadVault({ version: 1, secret: SECRET, previous: undefined });
const key = Buffer.from(contentKey(SECRET, LABEL.token).toString('hex'), 'hex');

describe('with jose', () => {
  test('it reads what we write', async () => {
    const jwe = vault.seal(TEXT, LABEL);
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, key);
    expect(new TextDecoder().decode(plaintext)).toBe(TEXT);
    expect(protectedHeader).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: 'payload-1',
      typ: 'JWE',
      cty: 'application/fhir+json',
      token: LABEL.token,
      ver: LABEL.version,
    });
  });

  test('we read what it writes', async () => {
    const jwe = await new CompactEncrypt(new TextEncoder().encode(TEXT))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'payload-1', token: LABEL.token, ver: LABEL.version })
      .encrypt(key);
    expect(vault.open(jwe, LABEL)).toBe(TEXT);
  });

  test('the parts are five, the key is none, the IV is never the same', () => {
    const [one, two] = [vault.seal(TEXT, LABEL), vault.seal(TEXT, LABEL)].map((jwe) => jwe.split('.'));
    expect(one?.map((part) => Buffer.from(part, 'base64url').length)).toEqual([
      expect.any(Number),
      0,
      12,
      Buffer.byteLength(TEXT),
      16,
    ]);
    expect(one?.[2]).not.toBe(two?.[2]);
    expect(one?.[3]).not.toBe(two?.[3]);
  });
});

describe('what does not open', () => {
  const jwe = vault.seal(TEXT, LABEL);
  const parts = jwe.split('.');

  test('another token, another version', () => {
    expect(vault.open(jwe, { ...LABEL, token: 'pt_xwvtrqpmkjhgfdcbxwvtrqpmkjhgfdcb' })).toBeUndefined();
    expect(vault.open(jwe, { ...LABEL, version: 'v-2' })).toBeUndefined();
  });

  test.each([0, 2, 3, 4])('part %i changed by one character', (part) => {
    const text = parts[part] ?? '';
    const at = Math.floor(text.length / 2);
    const changed = parts.with(part, text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)).join('.');
    expect(vault.open(changed, LABEL)).toBeUndefined();
  });

  test('a header that claims another label, over the same content', () => {
    const header = { ...decodeProtectedHeader(jwe), ver: 'v-2' };
    const forged = parts.with(0, Buffer.from(JSON.stringify(header)).toString('base64url')).join('.');
    expect(vault.open(forged, { ...LABEL, version: 'v-2' })).toBeUndefined();
  });

  test.each([
    { alg: 'none' },
    { alg: 'A256KW' },
    { enc: 'A128GCM' },
    { crit: ['exp'] },
    { kid: 'payload-2' },
    { kid: 7 },
  ])('a header with %j', (change) => {
    const header = { ...decodeProtectedHeader(jwe), ...change };
    const forged = parts.with(0, Buffer.from(JSON.stringify(header)).toString('base64url')).join('.');
    expect(vault.open(forged, LABEL)).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>]>([
    ['another record', { token: 'pt_xwvtrqpmkjhgfdcbxwvtrqpmkjhgfdcb' }],
    ['another version', { ver: 'v-2' }],
    ['another algorithm', { alg: 'A256GCMKW' }],
    ['another encryption', { enc: 'A192GCM' }],
    ['an extension that must be understood', { crit: ['exp'], exp: 1 }],
    ['an unknown key', { kid: 'payload-9' }],
  ])('a header that says %s, though whoever wrote it had the key', (_name, change) => {
    const header = { ...decodeProtectedHeader(jwe), ...change };
    const head = Buffer.from(JSON.stringify(header)).toString('base64url');
    const { iv, text, tag } = encrypt(contentKey(SECRET, LABEL.token), TEXT, head);
    const forged = [head, '', ...[iv, text, tag].map((part) => part.toString('base64url'))].join('.');
    expect(vault.open(forged, LABEL)).toBeUndefined();
  });

  test.each([4, 8, 12, 15])('a tag of %i bytes: shorter is easier to forge', (length) => {
    const tag = Buffer.from(parts[4] ?? '', 'base64url').subarray(0, length);
    expect(vault.open(parts.with(4, tag.toString('base64url')).join('.'), LABEL)).toBeUndefined();
  });

  test.each([
    '',
    '.',
    '....',
    'null',
    `${parts.join('.')}.x`,
    parts.slice(0, 4).join('.'),
    parts.with(1, 'AAAA').join('.'),
    'bnVsbA....',
  ])('what is no JWE of ours: %s', (text) => expect(vault.open(text, LABEL)).toBeUndefined());
});

describe('a new key', () => {
  const old = vault.seal(TEXT, LABEL);

  test('opens what the one before has sealed, and seals under its own name', () => {
    const rotated = payloadVault({ version: 2, secret: NEXT, previous: SECRET });
    expect(rotated.open(old, LABEL)).toBe(TEXT);
    expect(rotated.kid).toBe('payload-2');
    expect(rotated.open(rotated.seal(TEXT, LABEL), LABEL)).toBe(TEXT);
    expect(vault.open(rotated.seal(TEXT, LABEL), LABEL)).toBeUndefined();
  });

  test('without the one before, the old ones stay shut; also when it has taken the old name', () => {
    expect(payloadVault({ version: 2, secret: NEXT, previous: undefined }).open(old, LABEL)).toBeUndefined();
    expect(payloadVault({ version: 1, secret: NEXT, previous: undefined }).open(old, LABEL)).toBeUndefined();
  });
});
