import { describe, expect, test } from 'vitest';
import { jsonOf, judge, judgeEntries } from '../../src/remote/outcome.ts';
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
  [
    'so are two copies met by a reference',
    answer(400, { body: "Conditional reference 'Patient?identifier=a|b' matched multiple resources" }),
    { kind: 'duplicate' },
  ],
  [
    'a reference that finds nothing is a refusal',
    answer(400, { body: "Conditional reference 'Patient?identifier=a|b' did not match any resources" }),
    { kind: 'rejected', status: 400 },
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
  [
    'without a word on how long in Retry-After, RateLimit is read',
    answer(429, { retryAfter: 'soon', rateLimit: '"a";r=0;t=9' }),
    { kind: 'throttled', retryAfterMs: 9000 },
  ],
  [
    'an HTTP date that has passed is no wait at all',
    answer(429, { retryAfter: 'Sat, 21 Nov 2026 11:00:00 GMT' }),
    { kind: 'throttled', retryAfterMs: 0 },
  ],
  ['a success without a body is done', answer(204), { kind: 'done', status: 204 }],
  [
    'a login page is not a success',
    answer(200, { body: '<html>Sign in</html>' }),
    { kind: 'unavailable', status: 200 },
  ],
  [
    'half of a resource is not a success',
    answer(200, { body: '{"resourceType":"Bundle","entry":[{"res' }),
    { kind: 'unavailable', status: 200 },
  ],
  ['a bare text is not a success', answer(200, { body: '"ok"' }), { kind: 'unavailable', status: 200 }],
  [
    '404 and 410 with an outcome say that it is gone',
    answer(410, { body: '{"resourceType":"OperationOutcome","issue":[]}' }),
    { kind: 'gone', status: 410 },
  ],
  [
    '404 of something that is no FHIR server is a refusal',
    answer(404, { body: '<html>' }),
    { kind: 'rejected', status: 404 },
  ],
  ['a redirect is a refusal', answer(307), { kind: 'rejected', status: 307 }],
  ['408 and 425 mean later', answer(425), { kind: 'unavailable', status: 425 }],
  ['501 will not change by itself', answer(501), { kind: 'rejected', status: 501 }],
  ['the error page of a gateway is unavailable', answer(502, { body: '<html>' }), { kind: 'unavailable', status: 502 }],
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
  { kind: 'gone', status: 410 },
  { kind: 'done', status: 200 },
])('what another try cannot change is not tried again: $kind', (outcome) => {
  expect(nextWait(outcome, 1, 0.5)).toBeUndefined();
});

test('the wait that a server asks for is kept', () => {
  expect(nextWait({ kind: 'throttled', retryAfterMs: 60_000 }, 1, 0.5)).toBe(60_000);
});

describe('a bundle that is answered with 200', () => {
  const bundle = (...entry: object[]): object => ({ resourceType: 'Bundle', type: 'batch-response', entry });
  const made = { response: { status: '201' } };
  const failed = (status: string, text = ''): object => ({
    response: { status, outcome: { resourceType: 'OperationOutcome', issue: [{ details: { text } }] } },
  });

  test.each<[string, object, { count: number; all: boolean }, ReplicaOutcome | undefined]>([
    ['all made', bundle(made, made), { count: 2, all: true }, undefined],
    [
      'one refused, where all had to be done',
      bundle(made, failed('422')),
      { count: 2, all: true },
      { kind: 'rejected', status: 422 },
    ],
    ['one throttled half-way', bundle(made, failed('429')), { count: 2, all: true }, { kind: 'throttled' }],
    [
      'a race lost',
      bundle(failed('400', 'Resource ID did not match resolved ID')),
      { count: 1, all: true },
      { kind: 'conflict' },
    ],
    ['fewer answers than requests', bundle(made), { count: 2, all: true }, { kind: 'unavailable' }],
    ['an entry that says nothing', bundle({}), { count: 1, all: true }, { kind: 'unavailable', status: 503 }],
    ['not a Bundle', { resourceType: 'Patient' }, { count: 1, all: true }, { kind: 'unavailable' }],
    ['reads: what is gone is an answer', bundle(failed('404')), { count: 1, all: false }, undefined],
    [
      'reads: what was throttled is none',
      bundle(failed('404'), failed('429')),
      { count: 2, all: false },
      { kind: 'throttled' },
    ],
  ])('%s', (_name, content, expected, outcome) => {
    expect(judgeEntries(content, expected, NOW)).toEqual(outcome);
  });

  test('an empty body is no bundle', () => {
    expect(judgeEntries(jsonOf(''), { count: 1, all: false }, NOW)).toEqual({ kind: 'unavailable' });
  });
});
