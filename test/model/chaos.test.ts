/** Random histories under random misfortunes, and narrow moments one by one; `npm run test:chaos` lives ten thousand of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { live } from './chaos/live.ts';
import { ONCE_BROKEN } from './chaos/once-broken.ts';
import { history } from './chaos/step.ts';
import { SOME_WINDOWS } from './chaos/windows.ts';

const RUNS = Number(process.env['CHAOS_RUNS'] ?? 60);
const HISTORY_MS = 20_000;

test(
  'whatever happens, the replica converges, no job is lost, nothing identified leaves, and every effect is in the trail',
  async () => {
    const result = await fc.check(
      fc.asyncProperty(history, async (one) => void (await live(one))),
      {
        numRuns: RUNS,
        seed: Number(process.env['CHAOS_SEED'] ?? 1),
      }
    );
    expect(result.failed, `${String(result.errorInstance)}\n${fc.defaultReportMessage(result) ?? ''}`).toBe(false);
  },
  RUNS * HISTORY_MS
);

test(
  'at whichever request it happens',
  async () => {
    const broken: string[] = [];
    for (const one of SOME_WINDOWS) {
      await live(one.history).catch((error: unknown) => broken.push(`${one.name}: ${String(error)}`));
    }
    expect(broken).toEqual([]);
  },
  SOME_WINDOWS.length * HISTORY_MS
);

test.each(Object.entries(ONCE_BROKEN))(
  'was broken once: %s',
  async (_name, one) => {
    await live(one);
  },
  HISTORY_MS
);
