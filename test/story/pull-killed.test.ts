/** A pull that is broken off anywhere, again and again: at any byte of a file, at any request of the bot. Nothing is lost, nothing is there twice. */
import type { Observation } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chart, createPartnership } from '../support/partner.ts';
import { all } from '../support/world.ts';

const RUNS = Number(process.env['PULL_RUNS'] ?? 3);

const history = fc.record({
  /** After how many bytes each of the first bodies breaks off. */
  cuts: fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 8 }),
  /** After how many of its requests each of the first runs dies, and whether the last one arrives. */
  deaths: fc.array(fc.record({ after: fc.integer({ min: 1, max: 90 }), isSent: fc.boolean() }), { maxLength: 4 }),
  hasRange: fc.boolean(),
  isCutSilent: fc.boolean(),
  hasCounts: fc.boolean(),
  linksFor: fc.constantFrom<number>(8, 1000),
  linesPerFile: fc.constantFrom<number>(60, 1000),
});

/** Dies where a part of a slice is taken and saved, and the rest is not. */
const BETWEEN_LOTS = {
  cuts: [],
  deaths: [24, 28, 32, 36].map((after) => ({ after, isSent: true })),
  hasRange: true,
  isCutSilent: false,
  hasCounts: true,
  linksFor: 1000,
  linesPerFile: 1000,
};

test(`of ${RUNS} broken pulls each ends with every record once`, { timeout: 60_000 * RUNS }, async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ cuts, deaths, ...behaviour }) => {
      const ours = await createPartnership();
      const { partner, world } = ours;
      try {
        partner.records.push(...chart(2, 110));
        const left = [...cuts];
        Object.assign(partner.behaviour, { ...behaviour, cut: () => left.shift() });
        const isDone = async (): Promise<boolean> => (await ours.state())?.phase === 'done';
        for (const death of deaths) {
          if (await isDone()) {
            // The next pull would take what this one has lost.
            break;
          }
          world.sandbox.source.faults.killNext(death, 'pull-partner');
          await Promise.race([ours.pull().catch(() => undefined), world.sandbox.clock.sleep(400_000)]);
          await world.sandbox.clock.advance(400_000);
        }
        const answer = await ((await isDone()) ? ours.pull({ action: 'partner/status' }) : ours.pullAll());
        expect(answer.phase).toBe('done');
        const stored = await all<Observation>(world.sandbox, 'Observation', 'source');
        const names = stored.map(({ valueQuantity, subject }) => `${subject?.reference} ${valueQuantity?.value}`);
        expect([stored.length, new Set(names).size]).toEqual([220, 220]);
        expect((await ours.taken('Patient')).length).toBe(2);
        expect((await ours.taken('Encounter')).length).toBe(2);
        expect(answer.refused).toEqual([]);
        expect(answer.short).toEqual({});
      } finally {
        await ours.close();
      }
    }),
    { numRuns: RUNS, examples: [[BETWEEN_LOTS]] }
  );
});
