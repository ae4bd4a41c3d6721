/** The published accuracy: measured on registers that nothing was tuned on, and what must hold of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HELD_OUT, measure, tableOf } from '../../../scripts/bench/match.ts';
import type { Tally } from '../../../scripts/bench/match.ts';
import { FLAWS } from '../../../scripts/samples/duplicates.ts';

test(
  'docs/partners.md has the figures of the held-out registers, and they are good enough',
  { timeout: 120_000 },
  () => {
    const tallies = measure(HELD_OUT.seed, HELD_OUT.size);
    const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'partners.md'), 'utf8');
    const cellsOf = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .map((line) => line.replaceAll(/\s+/g, ' ').replaceAll(/-{3,}/g, '---'));
    const published = cellsOf(page);
    expect(cellsOf(tableOf(tallies)).filter((row) => !published.includes(row))).toEqual([]);
    const sum = (rows: readonly (Tally | undefined)[], name: keyof Tally): number =>
      rows.reduce((all, tally) => all + (tally?.[name] ?? 0), 0);
    const same = FLAWS.map((flaw) => tallies.get(flaw));
    // Nobody may be linked to somebody else; of those who are there, hardly anybody may be missed.
    expect(sum([...tallies.values()], 'wrong')).toBe(0);
    expect((sum(same, 'linked') + sum(same, 'shown')) / sum(same, 'lookups')).toBeGreaterThan(0.99);
    expect(sum([tallies.get('none')], 'linked') / sum([tallies.get('none')], 'lookups')).toBeGreaterThan(0.99);
  }
);
