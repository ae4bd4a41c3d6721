import type { Task } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { queueVerdict, reportOf, waitOf, watermarksVerdict } from '../../../src/flows/health/judge.ts';
import type { Control } from '../../../src/queue/control.ts';
import { checksOf } from '../../../src/flows/health/probe.ts';

const NOW = Date.parse('2026-03-04T12:00:00Z');
const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();
const job = (fields: Partial<Task>): Task => ({
  resourceType: 'Task',
  status: 'requested',
  intent: 'order',
  ...fields,
});

describe('the whole is as bad as its worst check', () => {
  test.each([
    ['healthy', { source: { state: 'healthy' }, token: { state: 'healthy' } }],
    ['degraded', { source: { state: 'healthy' }, queue: { state: 'degraded', reason: 'jobs-waiting' } }],
    ['unhealthy', { source: { state: 'unhealthy', reason: 'source-unavailable' }, queue: { state: 'degraded' } }],
    ['healthy', {}],
  ] as const)('%s', (status, verdicts) => expect(reportOf(verdicts, ago(0)).status).toBe(status));

  test('it says why, check by check, and only then', () => {
    const report = reportOf(
      { source: { state: 'healthy' }, token: { state: 'unhealthy', reason: 'replica-unauthorised' } },
      ago(0)
    );
    expect(report).toEqual({
      status: 'unhealthy',
      timestamp: ago(0),
      checks: { source: 'healthy', token: 'unhealthy' },
      reasons: { token: 'replica-unauthorised' },
    });
    expect(reportOf({ source: { state: 'healthy' } }, ago(0))).not.toHaveProperty('reasons');
  });
});

test.each([
  ['no sweep yet', {}, 'degraded'],
  ['just now', { Patient: ago(1), Consent: ago(0) }, 'healthy'],
  ['three sweeps missing, in one feed of two', { Patient: ago(16), Consent: ago(0) }, 'degraded'],
  ['none for a day', { Patient: ago(60 * 25) }, 'unhealthy'],
])('watermarks: %s', (_, marks, state) => expect(watermarksVerdict(marks, NOW).state).toBe(state));

test.each<[string, Control, Task[], number, string]>([
  ['no jobs at all', {}, [], 0, 'healthy'],
  ['one that has just come', {}, [job({ authoredOn: ago(1) })], 0, 'healthy'],
  ['one that is due for two hours', {}, [job({ authoredOn: ago(1) }), job({ authoredOn: ago(120) })], 0, 'degraded'],
  [
    'an old one whose next try lies ahead',
    {},
    [job({ authoredOn: ago(600), executionPeriod: { start: ago(-5) } })],
    0,
    'healthy',
  ],
  ['one that has failed', {}, [], 1, 'degraded'],
  ['a pause', { pausedAt: NOW }, [], 0, 'degraded'],
  ['an open breaker', { open: { reason: 'replica-unavailable', since: NOW, probeAt: NOW } }, [], 0, 'degraded'],
])('queue: %s', (_, control, waiting, failed, state) =>
  expect(queueVerdict(control, waiting, failed, NOW).state).toBe(state)
);

test('a job without any date does not count as old', () => expect(waitOf([job({})], NOW)).toBe(0));

test.each([
  [undefined, 5],
  [{}, 5],
  [{ identifier: 'a|b' }, 5],
  [{ probe: 'live' }, 0],
  [{ probe: 'ready' }, 3],
  [{ probe: 'startup' }, 2],
  [{ probe: 'alive' }, undefined],
  [{ probe: 'toString' }, undefined],
  [{ probe: ['live'] }, undefined],
])('probe %j: %s checks', (input, count) => expect(checksOf(input)?.length).toBe(count));
