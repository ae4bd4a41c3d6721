import { expect, test } from 'vitest';
import { judge } from '../../src/remote/outcome.ts';
import { nextWait } from '../../src/remote/backoff.ts';
import type { ReplicaOutcome } from '../../src/ports.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const answer = (status: number, more: Partial<Parameters<typeof judge>[0]> = {}): Parameters<typeof judge>[0] => ({
  status,
  retryAfter: null,
  rateLimit: null,
  body: '',
  ...more,
});

test.each<[string, Parameters<typeof judge>[0], ReplicaOutcome]>([
  ['200 is done', answer(200), { kind: 'done', status: 200 }],
  ['201 is done', answer(201), { kind: 'done', status: 201 }],
  ['409 is an ordinary conflict', answer(409), { kind: 'conflict' }],
  [
    'a lost race inside a bundle is a conflict',
    answer(400, { body: '{"issue":[{"details":{"text":"Resource ID did not match resolved ID"}}]}' }),
    { kind: 'conflict' },
  ],
  [
    'two copies met by a bundle are duplicates',
    answer(400, { body: 'Conditional PUT matched multiple resources' }),
    { kind: 'duplicate' },
  ],
  ['any other 400 is a refusal', answer(400), { kind: 'rejected', status: 400 }],
  ['412 means several copies', answer(412), { kind: 'duplicate' }],
  ['401 and 403 are ours to repair', answer(403), { kind: 'unauthorised', status: 403 }],
  ['Retry-After in seconds is honoured', answer(429, { retryAfter: '7' }), { kind: 'throttled', retryAfterMs: 7000 }],
  [
    'Retry-After as an HTTP date is honoured',
    answer(429, { retryAfter: 'Sat, 21 Nov 2026 12:00:30 GMT' }),
    { kind: 'throttled', retryAfterMs: 30_000 },
  ],
  ['a Retry-After that is nonsense is no wait', answer(429, { retryAfter: 'soon' }), { kind: 'throttled' }],
  [
    'the RateLimit header of Medplum tells the wait',
    answer(429, { rateLimit: '"fhirInteractions";r=0;t=60' }),
    { kind: 'throttled', retryAfterMs: 60_000 },
  ],
  ['503 is unavailable', answer(503), { kind: 'unavailable', status: 503 }],
  ['413 is a refusal', answer(413), { kind: 'rejected', status: 413 }],
])('%s', (_name, given, expected) => {
  expect(judge(given, NOW)).toEqual(expected);
});

test('an unavailable replica is tried after 1, 2 and 4 seconds, and then left to the sweep', () => {
  const waits = [1, 2, 3, 4].map((attempt) => nextWait({ kind: 'unavailable' }, attempt, 0.5));
  expect(waits).toEqual([1000, 2000, 4000, undefined]);
});

test('without a word on how long, throttling is waited for up to 10 seconds a time', () => {
  const waits = [1, 4, 5, 9].map((attempt) => nextWait({ kind: 'throttled' }, attempt, 0.5));
  expect(waits).toEqual([1000, 8000, 10_000, 10_000]);
});

test('the jitter is at most a quarter either way', () => {
  expect(nextWait({ kind: 'unavailable' }, 1, 0)).toBe(750);
  expect(nextWait({ kind: 'unavailable' }, 1, 0.999999)).toBeCloseTo(1250, 0);
});

test('a conflict is tried eight times, quickly', () => {
  expect(nextWait({ kind: 'conflict' }, 1, 0.5)).toBe(40);
  expect(nextWait({ kind: 'conflict' }, 8, 0.5)).toBeUndefined();
});

test.each<ReplicaOutcome>([
  { kind: 'rejected', status: 400 },
  { kind: 'unauthorised', status: 401 },
  { kind: 'duplicate' },
  { kind: 'done', status: 200 },
])('what another try cannot change is not tried again: $kind', (outcome) => {
  expect(nextWait(outcome, 1, 0.5)).toBeUndefined();
});

test('the wait that a server asks for is kept', () => {
  expect(nextWait({ kind: 'throttled', retryAfterMs: 60_000 }, 1, 0.5)).toBe(60_000);
});
