/** Random histories under random misfortunes; `npm run test:chaos` lives ten thousand of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { live } from './chaos/live.ts';
import { history } from './chaos/step.ts';

const RUNS = Number(process.env['CHAOS_RUNS'] ?? 100);

test(
  'whatever happens, the replica converges, nothing identified leaves, and every effect is in the trail',
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
  RUNS * 20_000
);
