import { describe, expect, test } from 'vitest';
import { createClock } from '../../scripts/sandbox/clock.ts';
import type { Timetable } from '../../scripts/sandbox/clock.ts';
import { parseCron } from '../../scripts/sandbox/cron.ts';

const MINUTE = 60_000;
const next = (text: string, after: string): string | undefined => {
  const ms = parseCron(text)?.nextAfter(Date.parse(after));
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

describe('cron expressions', () => {
  test.each([
    ['* * * * *', '2026-11-21T10:00:00.000Z', '2026-11-21T10:01:00.000Z'],
    ['* * * * *', '2026-11-21T10:00:59.999Z', '2026-11-21T10:01:00.000Z'],
    ['*/5 * * * *', '2026-11-21T10:01:00.000Z', '2026-11-21T10:05:00.000Z'],
    ['10-40/15 * * * *', '2026-11-21T10:11:00.000Z', '2026-11-21T10:25:00.000Z'],
    ['0 3 * * *', '2026-11-21T03:00:00.000Z', '2026-11-22T03:00:00.000Z'],
    ['0 3 1 * *', '2026-11-21T03:00:00.000Z', '2026-12-01T03:00:00.000Z'],
    ['30 2 * * 1', '2026-11-21T00:00:00.000Z', '2026-11-23T02:30:00.000Z'],
    ['0 0 13 * 5', '2026-11-21T00:00:00.000Z', '2026-11-27T00:00:00.000Z'],
    ['0 0 29 2 *', '2026-11-21T00:00:00.000Z', '2028-02-29T00:00:00.000Z'],
    ['15,45 8,20 * * *', '2026-11-21T08:15:00.000Z', '2026-11-21T08:45:00.000Z'],
  ])('%s after %s is %s', (text, after, expected) => {
    expect(next(text, after)).toBe(expected);
  });

  test.each([
    '',
    'every minute',
    '* * * *',
    '*/5 * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '5-1 * * * *',
    '*/0 * * * *',
    '@daily',
  ])('"%s" is no cron expression', (text) => {
    expect(parseCron(text)).toBeUndefined();
  });

  test('a day that never comes has no next tick', () => {
    expect(next('0 0 30 2 *', '2026-01-01T00:00:00Z')).toBeUndefined();
  });
});

describe('the clock', () => {
  /** A timetable that is due each minute and notes when it was fired. */
  function eachMinute(now: () => number): Timetable & { fired: string[] } {
    const cron = parseCron('* * * * *');
    const fired: string[] = [];
    return {
      fired,
      nextAfter: (ms) => cron?.nextAfter(ms),
      fire: (at) => fired.push(`${new Date(at).toISOString().slice(11, 16)} ${Math.floor((now() - at) / MINUTE)}`),
      settled: async () => undefined,
    };
  }

  test('advancing fires each tick once, at its own moment, and ends where it should', async () => {
    const clock = createClock('2026-11-21T10:00:30Z');
    const table = eachMinute(() => clock.now());
    clock.add(table);
    await clock.advance(3 * MINUTE);
    expect(table.fired).toEqual(['10:01 0', '10:02 0', '10:03 0']);
    expect(clock.iso().slice(0, 16)).toBe('2026-11-21T10:03');
    await clock.advance(10_000);
    expect(table.fired).toHaveLength(3);
  });

  test('a tick waits for the runs of the one before, unless runs may overlap', async () => {
    const clock = createClock('2026-11-21T10:00:30Z');
    const order: string[] = [];
    const cron = parseCron('* * * * *');
    clock.add({
      nextAfter: (ms) => cron?.nextAfter(ms),
      fire: () => order.push('fire'),
      settled: async () => void order.push('settled'),
    });
    await clock.advance(2 * MINUTE);
    expect(order).toEqual(['fire', 'settled', 'fire', 'settled']);
    order.length = 0;
    await clock.advance(2 * MINUTE, { overlap: true });
    expect(order).toEqual(['fire', 'fire']);
  });

  test('a removed timetable is not fired, and time never goes back', async () => {
    const clock = createClock('2026-11-21T10:00:30Z');
    const table = eachMinute(() => clock.now());
    clock.add(table)();
    await clock.advance(5 * MINUTE);
    expect(table.fired).toEqual([]);
    const before = clock.now();
    await clock.advance(-MINUTE);
    expect(clock.now()).toBeGreaterThanOrEqual(before);
  });

  test('a start that is no time is refused', () => {
    expect(() => createClock('yesterday')).toThrow('Not a time');
  });
});
