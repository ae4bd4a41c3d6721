import type { Task } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { delayAfter } from '../../src/queue/backoff.ts';
import { claimed, merge, ordered, settled } from '../../src/queue/change.ts';
import { basicOf, controlOf, heldBy, opened, PROBE_EVERY_MS } from '../../src/queue/control.ts';
import { stateOf, taskOf, withState } from '../../src/queue/job.ts';
import type { Order } from '../../src/queue/job.ts';
import { next, STATUSES } from '../../src/queue/states.ts';

const systems = systemsOf();
const NOW = Date.parse('2026-03-04T05:06:07Z');
const order: Order = { type: 'encounter-sync', key: 'Encounter/1', patient: 'Patient/1', at: NOW };
const stored = (changes: Partial<Order> = {}): Task => ({
  ...taskOf(systems, { ...order, ...changes }, NOW),
  id: 't1',
  meta: { versionId: '1' },
});
const lease = { run: 'run-1', until: NOW + 60_000 };
const taken = (changes: Partial<Order> = {}): Task => claimed(systems, stored(changes), lease, NOW) as Task;
const terms = { now: NOW, unit: 0.5, attempts: 3 };
const shown = (task: Task | undefined): object | undefined =>
  task && { status: task.status, ...stateOf(systems, task) };

test('the state of a job is what was put into it', () => {
  const state = { dueAt: NOW, attempts: 2, reason: 'contention', againAt: NOW + 5, run: 'run-1' };
  expect(stateOf(systems, withState(systems, stored(), state))).toEqual(state);
});

describe('the table', () => {
  test('an ended job can be wanted anew, and only an open one can be taken', () => {
    expect(STATUSES.filter((status) => next(status, 'enqueue') === undefined)).toEqual([]);
    expect(STATUSES.filter((status) => next(status, 'claim'))).toEqual(['requested', 'in-progress']);
    expect(STATUSES.filter((status) => next(status, 'complete'))).toEqual(['in-progress']);
  });

  test('a status that is not a job’s leads nowhere', () => expect(next('draft', 'claim')).toBeUndefined());
});

describe('an order for a job that is there', () => {
  test('costs no write when the job is due as soon', () => {
    expect(merge(systems, stored(), { ...order, at: NOW + 1 }, NOW)).toBeUndefined();
    expect(merge(systems, stored(), order, NOW)).toBeUndefined();
  });

  test('brings it forward, and makes it urgent', () => {
    const later = stored({ at: NOW + 1000, attempts: 2 });
    expect(shown(merge(systems, later, order, NOW))).toMatchObject({ status: 'requested', dueAt: NOW, attempts: 2 });
    expect(merge(systems, stored(), { ...order, isUrgent: true }, NOW)?.priority).toBe('urgent');
  });

  test('is remembered while a run is at it, and costs one write whatever comes after', () => {
    const again = merge(systems, taken(), { ...order, at: NOW + 7 }, NOW) as Task;
    expect(shown(again)).toMatchObject({ status: 'in-progress', againAt: NOW + 7, run: 'run-1', dueAt: lease.until });
    expect(merge(systems, again, { ...order, at: NOW + 9 }, NOW)).toBeUndefined();
  });

  test.each(['completed', 'failed', 'cancelled'] as const)('opens it afresh when it is %s', (status) => {
    const ended: Task = { ...taken({ attempts: 3, reason: 'contention' }), status };
    const opened = merge(systems, ended, order, NOW);
    expect(shown(opened)).toEqual({ status: 'requested', dueAt: NOW, attempts: 0 });
    expect(opened).toMatchObject({ id: 't1', meta: { versionId: '1' } });
  });

  test('leaves a dead letter alone that is dead for the same reason', () => {
    const dead = { ...order, isDead: true, reason: 'replica-rejected', attempts: 1 };
    expect(merge(systems, stored(dead), dead, NOW)).toBeUndefined();
    expect(shown(merge(systems, stored(dead), { ...dead, reason: 'too-large' }, NOW))).toMatchObject({
      reason: 'too-large',
    });
  });

  test('does not take it off hold', () => {
    expect(merge(systems, { ...stored(), status: 'on-hold' }, { ...order, at: NOW - 1 }, NOW)?.status).toBe('on-hold');
  });
});

describe('a claim', () => {
  test('lasts until its lease ends, then another run may have it', () => {
    expect(claimed(systems, taken(), { run: 'run-2', until: NOW + 99 }, lease.until - 1)).toBeUndefined();
    const stalled = claimed(systems, taken(), { run: 'run-2', until: lease.until + 99 }, lease.until);
    expect(shown(stalled)).toMatchObject({ run: 'run-2', dueAt: lease.until + 99, status: 'in-progress' });
  });

  test('covers what was wanted up to now, and keeps what is wanted later', () => {
    const at = (againAt: number): number | undefined => {
      const again = withState(systems, taken(), { ...stateOf(systems, taken()), againAt });
      return stateOf(systems, claimed(systems, again, lease, lease.until) as Task).againAt;
    };
    expect([at(lease.until), at(lease.until + 1)]).toEqual([undefined, lease.until + 1]);
  });

  test.each(['completed', 'failed', 'cancelled', 'on-hold'] as const)('is not for a job that is %s', (status) => {
    expect(claimed(systems, { ...stored(), status }, lease, NOW)).toBeUndefined();
  });
});

describe('a result', () => {
  test('done completes', () =>
    expect(shown(settled(systems, taken(), { kind: 'done' }, terms))).toMatchObject({ status: 'completed' }));

  test('failed waits 1 and 4 minutes, and is a dead letter the third time', () => {
    const fail = (attempts: number): object | undefined =>
      shown(settled(systems, taken({ attempts }), { kind: 'failed', reason: 'contention' }, terms));
    expect(fail(0)).toMatchObject({ status: 'requested', attempts: 1, dueAt: NOW + 60_000, reason: 'contention' });
    expect(fail(1)).toMatchObject({ status: 'requested', attempts: 2, dueAt: NOW + 240_000 });
    expect(fail(2)).toMatchObject({ status: 'failed', attempts: 3, reason: 'contention' });
  });

  test('refused is a dead letter at once', () =>
    expect(shown(settled(systems, taken(), { kind: 'refused', reason: 'too-large' }, terms))).toMatchObject({
      status: 'failed',
      attempts: 1,
    }));

  test('held costs no attempt', () =>
    expect(
      shown(settled(systems, taken({ attempts: 2 }), { kind: 'held', reason: 'replica-unavailable' }, terms))
    ).toMatchObject({ status: 'requested', attempts: 2, dueAt: NOW }));

  test.each(['done', 'failed', 'refused', 'held'] as const)('%s: what was wanted meanwhile is never lost', (kind) => {
    const again = merge(systems, taken({ attempts: 2 }), { ...order, at: NOW + 7 }, NOW) as Task;
    const after = settled(systems, again, { kind, reason: 'contention' }, terms);
    expect(after.status).toBe('requested');
    expect(stateOf(systems, after).dueAt).toBeLessThanOrEqual(NOW + 7);
    expect(stateOf(systems, after).againAt).toBeUndefined();
  });
});

test('a person retries what has failed or is on hold, with all attempts; and discards it with a reason', () => {
  const dead = stored({ isDead: true, attempts: 3, reason: 'contention' });
  expect(shown(ordered(systems, dead, 'retry', NOW))).toMatchObject({ status: 'requested', attempts: 0, dueAt: NOW });
  expect(shown(ordered(systems, dead, 'discard', NOW, 'not-needed'))).toMatchObject({
    status: 'cancelled',
    reason: 'not-needed',
    attempts: 3,
  });
  expect(ordered(systems, taken(), 'discard', NOW, 'x')).toBeUndefined();
});

test('the wait between runs is minutes, ±25 %, an hour at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, unit) => {
      const wait = delayAfter(attempts, unit);
      expect(wait).toBeGreaterThanOrEqual(45_000);
      expect(wait).toBeLessThanOrEqual(75 * 60_000);
    })
  );
});

describe('the switch', () => {
  test('says what was put into it', () => {
    for (const control of [
      { pausedAt: undefined, open: undefined },
      { pausedAt: NOW, open: undefined },
      { pausedAt: NOW, open: { reason: 'replica-unavailable', since: NOW, probeAt: NOW + 5 } },
    ]) {
      expect(controlOf(systems, basicOf(systems, control))).toEqual(control);
    }
    expect(controlOf(systems, undefined)).toEqual({ pausedAt: undefined, open: undefined });
  });

  test('holds for a pause before all else, and remembers since when the breaker is open', () => {
    const open = opened({}, 'replica-unavailable', NOW);
    expect([heldBy({}), heldBy(open), heldBy({ ...open, pausedAt: NOW })]).toEqual([
      undefined,
      'replica-unavailable',
      'paused',
    ]);
    expect(opened(open, 'replica-unavailable', NOW + 5).open).toEqual({
      reason: 'replica-unavailable',
      since: NOW,
      probeAt: NOW + 5 + PROBE_EVERY_MS,
    });
  });
});
