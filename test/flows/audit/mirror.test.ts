/** Exactly once: late rows, bursts, errors in the middle, two runs at once, and a crash at every step. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mirror } from '../../../src/flows/audit/mirror.io.ts';
import { stateOf } from '../../../src/flows/audit/state.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { configOf, crashing, createBench, LateTrail, replicaEvent } from './kit.ts';
import type { Bench } from './kit.ts';

const T0 = Date.parse('2026-01-02T03:04:05.678Z');
let bench: Bench;
beforeEach(async () => {
  bench = await createBench();
  bench.trail.now = T0 + 3_600_000;
});
afterEach(() => bench.sandbox.close());

const add = (count: number, at: (i: number) => number): (AuditEvent & { id: string })[] => {
  const events = Array.from({ length: count }, (_, i) => replicaEvent(at(i)));
  events.forEach((event) => bench.trail.add(event));
  return events;
};
const ids = (): string[] => bench.trail.rows.map(({ event }) => event.id ?? '').sort();
const once = async (): Promise<void> => {
  expect((await bench.mirrored()).sort()).toEqual(ids());
};

describe('one run', () => {
  test('stores more than one page once, and answers in the shape of the seeds', async () => {
    add(2300, (i) => T0 + i);
    const result = await mirror(bench.deps(), {});
    expect(result).toMatchObject({
      fetched: 2300,
      mirrored: 2300,
      skipped: 0,
      errors: 0,
      lastSyncedAt: new Date(T0 + 2299).toISOString(),
      isComplete: true,
    });
    expect(Object.keys(result)).toEqual(expect.arrayContaining(['startTime', 'endTime', 'durationMs']));
    await once();
  });

  test('a burst of 2,500 in one millisecond, between others', async () => {
    add(700, (i) => T0 + i);
    add(2500, () => T0 + 800);
    add(700, (i) => T0 + 801 + i);
    await mirror(bench.deps(), {});
    await once();
  });

  test('more in one millisecond than the server gives is told, not passed over', async () => {
    add(11_500, () => T0);
    await expect(mirror(bench.deps(), {})).rejects.toThrow('refuses the resource');
    expect(stateOf(systemsOf(), await bench.state()).watermark).toBe(new Date(T0).toISOString());
  }, 60_000);

  test('stops at its limit, and the next run goes on, although all of its overlap is known', async () => {
    add(1500, (i) => T0 + i);
    expect(await mirror(bench.deps(), { limit: 1200 })).toMatchObject({ mirrored: 1200, isComplete: false });
    expect(await mirror(bench.deps(), { limit: 200 })).toMatchObject({ mirrored: 200, isComplete: false });
    expect(await mirror(bench.deps(), { limit: 200 })).toMatchObject({ mirrored: 100, isComplete: true });
    await once();
  });

  test('forceSince looks again, stores nothing twice, and does not carry the watermark over a gap', async () => {
    add(10, (i) => T0 + i * 1000);
    expect(await mirror(bench.deps(), { forceSince: new Date(T0 + 5000).toISOString() })).toMatchObject({
      mirrored: 5,
    });
    expect(stateOf(systemsOf(), await bench.state()).watermark).toBeUndefined();
    expect(await mirror(bench.deps(), {})).toMatchObject({ mirrored: 5, skipped: 5 });
    expect(await mirror(bench.deps(), { forceSince: new Date(T0).toISOString() })).toMatchObject({
      mirrored: 0,
      skipped: 10,
    });
    await once();
  });

  test.each([[{ limit: 0 }], [{ limit: '5' }], [{ forceSince: 'yesterday' }]])('refuses %j', async (input) => {
    await expect(mirror(bench.deps(), input)).rejects.toMatchObject({ code: 'input-invalid' });
  });

  test('stops at its deadline', async () => {
    add(5, (i) => T0 + i);
    expect(await mirror(bench.deps({ deadlineAt: 0 }), {})).toMatchObject({ mirrored: 0, isComplete: false });
  });
});

test('rows that become visible up to a minute late are stored by a later run', async () => {
  const times = Array.from({ length: 400 }, (_, i) => T0 + i * 500);
  times.forEach((at, i) => bench.trail.add(replicaEvent(at), at + (i % 3 === 0 ? 59_000 : (i * 37) % 900)));
  for (bench.trail.now = T0 - 1000; bench.trail.now < T0 + 400_000; bench.trail.now += 20_000) {
    await mirror(bench.deps(), {});
  }
  await once();
});

test('a bare watermark would lose them: without overlap they are missed', async () => {
  const config = configOf();
  const bare = { ...config, sweepOverlapMs: 1 };
  bench.trail.add(replicaEvent(T0), T0 + 30_000);
  bench.trail.add(replicaEvent(T0 + 10_000));
  bench.trail.now = T0 + 20_000;
  await mirror(bench.deps({ config: bare }), {});
  bench.trail.now = T0 + 60_000;
  await mirror(bench.deps({ config: bare }), {});
  expect(await bench.mirrored()).toHaveLength(1);
  await mirror(bench.deps({ config }), {});
  await once();
});

describe('a crash', () => {
  test.each(['before', 'after'] as const)('%s each request loses nothing and repeats nothing', async (when) => {
    add(450, (i) => T0 + i);
    for (let at = 1; at <= 40; at++) {
      const source = crashing(bench.source, at, when);
      const ended = await mirror(bench.deps({ source }), {}).then(
        () => true,
        () => false
      );
      expect((await bench.mirrored()).length).toBe(stateOf(systemsOf(), await bench.state()).totalMirrored);
      if (ended) {
        break;
      }
      // A crashed run holds its lease for five minutes.
      await bench.sandbox.clock.advance(301_000);
      add(7, (i) => T0 + 1000 * at + i);
    }
    await mirror(bench.deps(), {});
    await once();
  });

  test('of the replica in the middle keeps what was stored, and says so', async () => {
    add(2500, (i) => T0 + i);
    bench.trail.failAt = 2;
    await expect(mirror(bench.deps(), {})).rejects.toThrow('gone');
    const state = stateOf(systemsOf(), await bench.state());
    expect(state).toMatchObject({ totalMirrored: 1000, watermark: new Date(T0 + 999).toISOString(), lease: undefined });
    expect(state.recentRuns[0]).toMatchObject({ mirrored: 1000, errors: 1 });
    bench.trail.failAt = Infinity;
    await mirror(bench.deps(), {});
    await once();
  });
});

test('the answer to a transaction is lost: the run looks again and goes on', async () => {
  add(450, (i) => T0 + i);
  let lost = 0;
  const source = {
    ...bench.source,
    async append(...args: Parameters<typeof bench.source.append>) {
      const answer = await bench.source.append(...args);
      return args[2].length > 0 && lost++ === 0 ? undefined : answer;
    },
  };
  expect(await mirror(bench.deps({ source }), {})).toMatchObject({ mirrored: 450, isComplete: true });
  await once();
});

describe('two runs', () => {
  test('at once: the second finds the lease and leaves', async () => {
    add(900, (i) => T0 + i);
    const results = await Promise.all([mirror(bench.deps(), {}), mirror(bench.deps(), {})]);
    expect(results.map(({ isBusy }) => isBusy === true).sort()).toEqual([false, true]);
    await once();
  });

  test('a paused run whose lease has ended stores nothing over the one that took over', async () => {
    add(450, (i) => T0 + i);
    let resume: () => void = () => undefined;
    const paused = new Promise<void>((resolve) => (resume = resolve));
    let appends = 0;
    let reached: () => void = () => undefined;
    const isThere = new Promise<void>((resolve) => (reached = resolve));
    const source = {
      ...bench.source,
      async append(...args: Parameters<typeof bench.source.append>) {
        if (++appends === 3) {
          reached();
          await paused;
        }
        return bench.source.append(...args);
      },
    };
    const first = mirror(bench.deps({ source }), {});
    await isThere;
    expect(await mirror(bench.deps(), {})).toMatchObject({ mirrored: 0, isBusy: true });
    await bench.sandbox.clock.advance(301_000);
    expect(await mirror(bench.deps(), {})).toMatchObject({ mirrored: 250, skipped: 200 });
    resume();
    expect(await first).toMatchObject({ mirrored: 200, isBusy: true });
    await once();
  });
});

test('an event that the source refuses is stored without its details, and keeps no other back', async () => {
  const events = add(300, (i) => T0 + i);
  const poison = events[123]?.id ?? '';
  const source = {
    ...bench.source,
    append(...args: Parameters<typeof bench.source.append>) {
      const isPoisoned = args[2].some(
        ({ meta, outcomeDesc }) => meta?.tag?.[0]?.code === poison && outcomeDesc !== 'not-mirrored-in-full'
      );
      return bench.source.append(
        args[0],
        args[1],
        isPoisoned ? [{ resourceType: 'AuditEvent' } as AuditEvent] : args[2]
      );
    },
  };
  expect(await mirror(bench.deps({ source }), {})).toMatchObject({ mirrored: 300, errors: 1, isComplete: true });
  await once();
});

test('nothing of the trail itself comes over: no mirror of a mirror, no reading of the mirror', async () => {
  const { auditType, mirrored } = systemsOf();
  bench.trail.add(replicaEvent(T0, { type: { system: auditType, code: 'FHIR_SYNC' } }));
  bench.trail.add(
    replicaEvent(T0 + 1, {
      meta: { lastUpdated: new Date(T0 + 1).toISOString(), tag: [{ system: mirrored, code: 'x' }] },
    })
  );
  bench.trail.add(
    replicaEvent(T0 + 2, {
      agent: [{ who: { reference: 'ClientApplication/sync-client' }, requestor: true }],
      entity: [{ what: { reference: 'AuditEvent/1' } }],
    })
  );
  expect(await mirror(bench.deps(), {})).toMatchObject({ fetched: 3, mirrored: 0, skipped: 3 });
});

test('the model of late rows is one: what is not visible yet is not on a page', async () => {
  const trail = new LateTrail();
  trail.add(replicaEvent(T0), T0 + 5);
  trail.now = T0 + 4;
  expect(await trail.page(undefined, 0)).toHaveLength(0);
  trail.now = T0 + 5;
  expect(await trail.page(undefined, 0)).toHaveLength(1);
});
