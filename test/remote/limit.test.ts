import { expect, test } from 'vitest';
import { learn, legacyLimit, limitOf, pauseOf } from '../../src/remote/limit.ts';
import type { Limit } from '../../src/remote/limit.ts';

test.each<[string, string | null, Limit | undefined]>([
  ['what Medplum sends', '"fhirInteractions";r=49980;t=58', { remaining: 49_980, resetMs: 58_000 }],
  ['the draft, parameters in any order', '"default";t=30;r=50', { remaining: 50, resetMs: 30_000 }],
  ['the tightest of several', '"day";r=100;t=36000, "minute";r=3;t=12', { remaining: 3, resetMs: 12_000 }],
  ['of two that are used up, the longer', '"minute";r=0;t=12, "day";r=0;t=900', { remaining: 0, resetMs: 900_000 }],
  ['the drafts before 08', 'limit=100, remaining=7, reset=50', { remaining: 7, resetMs: 50_000 }],
  ['nothing', null, undefined],
  ['nonsense', 'plenty', undefined],
])('a RateLimit header: %s', (_name, header, expected) => {
  expect(limitOf(header)).toEqual(expected);
});

test.each<[string, Record<string, string>, string | null]>([
  ['RateLimit-*, in seconds', { 'RateLimit-Remaining': '5', 'RateLimit-Reset': '20' }, '"legacy";r=5;t=20'],
  [
    'X-RateLimit-*, as an instant',
    { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '1800000030' },
    '"legacy";r=0;t=30',
  ],
  ['half of them', { 'X-RateLimit-Remaining': '0' }, null],
  ['none', {}, null],
])('the older headers: %s', (_name, headers, expected) => {
  expect(legacyLimit((name) => headers[name] ?? null, 1_800_000_000_000)).toBe(expected);
});

test('while there is enough for a request as dear as the dearest so far, nobody waits', () => {
  let pace = learn(undefined, { remaining: 1000, resetMs: 60_000 }, 0);
  expect(pauseOf(pace, 0)).toBe(0);
  pace = learn(pace, { remaining: 700, resetMs: 59_000 }, 1000);
  expect(pauseOf(pace, 1000)).toBe(0);
  pace = learn(pace, { remaining: 299, resetMs: 50_000 }, 10_000);
  expect(pauseOf(pace, 10_000)).toBe(50_000);
});

test('a new window is not mistaken for a cheap request, and ends the pause', () => {
  const spent = learn(learn(undefined, { remaining: 100, resetMs: 10_000 }, 0), { remaining: 0, resetMs: 9000 }, 1000);
  expect(pauseOf(spent, 9999)).toBe(1);
  expect(pauseOf(spent, 10_000)).toBe(0);
  const fresh = learn(spent, { remaining: 150, resetMs: 60_000 }, 10_001);
  expect(fresh).toEqual({ remaining: 150, resetAt: 70_001, dearest: 100 });
});

test('an answer that says nothing changes nothing', () => {
  const pace = learn(undefined, { remaining: 3, resetMs: 1000 }, 0);
  expect(learn(pace, undefined, 500)).toBe(pace);
});
