/** A pull that is broken off anywhere, again and again: at any byte of a file, at any request of the bot. Nothing is lost, nothing is there twice. */
import type { Observation } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chart, createPartnership } from '../support/partner.ts';
import { all } from '../support/world.ts';

const RUNS = Number(process.env['PULL_RUNS'] ?? 4);

const history = fc.record({
  /** After how many bytes each of the first bodies breaks off. */
  cuts: fc.array(fc.integer({ min: 0, max: 4000 }), { maxLength: 8 }),
  /** After how many of its requests each of the first runs dies, and whether the last one arrives. */
  deaths: fc.array(fc.record({ after: fc.integer({ min: 1, max: 40 }), isSent: fc.boolean() }), { maxLength: 4 }),
  hasRange: fc.boolean(),
  isCutSilent: fc.boolean(),
  hasCounts: fc.boolean(),
  linksFor: fc.constantFrom(2, 5, 1000),
  linesPerFile: fc.constantFrom(3, 7, 1000),
});

test(`of ${RUNS} broken pulls each ends with every record once`, { timeout: 60_000 * RUNS }, async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ cuts, deaths, ...behaviour }) => {
      const ours = await createPartnership();
      const { partner, world } = ours;
      try {
        partner.records.push(...chart(4, 5));
        const left = [...cuts];
        Object.assign(partner.behaviour, { ...behaviour, cut: () => left.shift() });
        for (const death of deaths) {
          world.sandbox.source.faults.killNext(death, 'pull-partner');
          await Promise.race([ours.pull().catch(() => undefined), world.sandbox.clock.sleep(400_000)]);
          await world.sandbox.clock.advance(400_000);
        }
        const answer = await ours.pullAll();
        expect(answer.phase).toBe('done');
        const stored = await all<Observation>(world.sandbox, 'Observation', 'source');
        const names = stored.map(({ valueQuantity, subject }) => `${subject?.reference} ${valueQuantity?.value}`);
        expect([stored.length, new Set(names).size]).toEqual([20, 20]);
        expect((await ours.taken('Patient')).length).toBe(4);
        expect((await ours.taken('Encounter')).length).toBe(4);
        expect(answer.refused).toEqual([]);
        expect(answer.short).toEqual({});
      } finally {
        await ours.close();
      }
    }),
    { numRuns: RUNS }
  );
});
