import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hkdfExpand, hkdfExtract } from '../../../src/rules/deid/hkdf.ts';
import { macOf } from '../../../src/rules/deid/hmac.ts';
import { checkKey } from '../../../src/config/key.ts';
import { patientKeys } from '../../../src/rules/deid/keys.ts';
import { KEY } from './support.ts';

it('derives as RFC 5869 says (node:crypto agrees)', () => {
  const ours = hkdfExpand(hkdfExtract('salt', 'input'), 'info').toString('hex');
  expect(ours).toBe(Buffer.from(hkdfSync('sha256', 'input', 'salt', 'info', 32)).toString('hex'));
  expect(ours).not.toBe(createHmac('sha256', 'input').update('info').digest('hex'));
});

it('computes HMAC-SHA256 as node:crypto does', () => {
  const key = 'f0'.repeat(32);
  const mac = macOf(key);
  for (const text of ['', 'Encounter/a', 'ü€😀', 'x'.repeat(1000)])
    expect(mac(text)).toBe(createHmac('sha256', key).update(text).digest('hex'));
  expect(mac('Encounter/a')).toBe(macOf(key)('Encounter/a'));
});

describe('a key', () => {
  it.each([
    [undefined, 'missing'],
    ['', 'missing'],
    ['   ', 'missing'],
    ['tooShort1', 'short'],
    ['CHANGE_ME_IN_PRODUCTION_9f3bC7d1e5A2kLm8Qz0', 'placeholder'],
    ['my-super-secret-key-for-the-project-123', 'placeholder'],
    ['0123456789abcdef0123456789abcdef', 'placeholder'],
    ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'weak'],
    ['qwxqwxqwxqwxqwxqwxqwxqwxqwxqwxqwxqwxqwx', 'weak'],
    [`${'k7Qp'.repeat(12)}`, 'weak'],
  ])('%s is refused: %s', (secret, problem) => {
    expect(checkKey(secret)).toBe(problem);
    if (typeof secret === 'string') {
      expect(() => patientKeys({ version: 1, secret }, 'p')).toThrow(`deid key refused: ${problem}`);
    }
  });

  it('of 32 random bytes passes, in hex and in base64url', () => {
    for (let i = 0; i < 200; i += 1) {
      const bytes = createHmac('sha256', 'seed').update(String(i)).digest();
      expect(checkKey(bytes.toString('hex'))).toBeUndefined();
      expect(checkKey(bytes.toString('base64url'))).toBeUndefined();
    }
  });
});

describe('the shift', () => {
  const all = Array.from({ length: 7300 }, (_, i) => patientKeys(KEY, `p${String(i)}`));

  it('is never zero, never under two and a half days, never over a year and three days', () => {
    for (const { shiftDays, shiftMs } of all) {
      expect(shiftDays).toBeGreaterThanOrEqual(3);
      expect(shiftDays).toBeLessThanOrEqual(367);
      expect(Math.abs(shiftMs - shiftDays * 86_400_000)).toBeLessThanOrEqual(43_200_000);
    }
  });

  it('is uniform: chi-square over 365 days, and over 24 hours of the time shift', () => {
    const chi = (buckets: number, of: (i: number) => number): number => {
      const counts = Array.from({ length: buckets }, () => 0);
      all.forEach((_, i) => {
        counts[of(i)] = (counts[of(i)] ?? 0) + 1;
      });
      const each = all.length / buckets;
      return counts.reduce((sum, count) => sum + (count - each) ** 2 / each, 0);
    };
    expect(chi(365, (i) => (all[i]?.shiftDays ?? 0) - 3)).toBeLessThan(460); // p ≈ 0.0003 for 364 degrees of freedom
    const hour = (i: number): number =>
      Math.floor(((((all[i]?.shiftMs ?? 0) % 86_400_000) + 86_400_000) % 86_400_000) / 3_600_000);
    expect(chi(24, hour)).toBeLessThan(55);
  });
});

describe('tokens', () => {
  const keys = patientKeys(KEY, 'p1');

  it('are separated by patient, type, id, key and purpose', () => {
    const other = patientKeys({ ...KEY, secret: `${KEY.secret}z` }, 'p1');
    const tokens = [
      keys.patientToken,
      keys.token('Encounter', 'a'),
      keys.token('Observation', 'a'),
      keys.token('Encounter', 'b'),
      keys.token('Patient', 'p1'),
      patientKeys(KEY, 'p2').token('Encounter', 'a'),
      other.token('Encounter', 'a'),
      other.patientToken,
      keys.digest('Encounter/a'),
    ];
    expect(new Set(tokens.map((each) => each.replace(/^\w+_/, ''))).size).toBe(tokens.length);
  });

  it('spell no number and no name', () => {
    expect(keys.token('Encounter', 'a')).toMatch(/^enc_[bcdfghjkmpqrtvwx]{32}$/);
    expect(keys.token('constructor', 'a')).toMatch(/^res_/);
    expect(keys.patientToken).toMatch(/^pt_/);
  });

  it('are the same when asked again', () => {
    expect(keys.token('Encounter', 'a')).toBe(patientKeys(KEY, 'p1').token('Encounter', 'a'));
  });
});
