/** What a day costs: the constants are those of a sandbox run of today, the sums are right, and the command says what the documents show. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { costOf, FIGURES, FLOWS, readCosts } from '../scripts/estimate/costs.ts';
import type { Costs, Flow } from '../scripts/estimate/costs.ts';
import { measureCosts } from '../scripts/estimate/measure.ts';
import { DEFAULT_PROFILE, estimate } from '../scripts/estimate/model.ts';
import { readProfile } from '../scripts/estimate/profile.ts';

const root = join(import.meta.dirname, '..');
const run = (...args: string[]): string =>
  execFileSync(process.execPath, ['scripts/estimate.ts', ...args], { cwd: root, encoding: 'utf8' });

describe('the constants', () => {
  test('are what the built bots cost today', { timeout: 180_000 }, async () => {
    const measured = await measureCosts();
    const kept = readCosts();
    expect(Object.keys(kept)).toEqual(Object.keys(FLOWS));
    for (const flow of Object.keys(FLOWS) as Flow[]) {
      for (const figure of FIGURES) {
        // An estimate bears a twentieth; of bytes more, since instants and ids are of various lengths.
        const share = figure === 'bytes' || figure === 'replicaBytes' ? 0.1 : 0.05;
        const slack = share * kept[flow][figure] + (share === 0.1 ? 20 : 0.05);
        const now = measured[flow][figure];
        expect({
          flow,
          figure,
          now,
          kept: kept[flow][figure],
          isNear: Math.abs(now - kept[flow][figure]) <= slack,
        }).toMatchObject({ isNear: true });
      }
    }
  });

  test('agree with what is told elsewhere: four requests for a change, 100 units for a mirrored event', () => {
    const costs = readCosts();
    expect(costs['change-updated'].requests + costs['change-updated'].replicaRequests).toBe(4);
    expect(Math.round(costs['mirror-event'].units)).toBe(101);
    expect(costs.scrape).toMatchObject({ requests: 3, replicaRequests: 1 });
  });
});

describe('a day', () => {
  const flat: Costs = Object.fromEntries(Object.keys(FLOWS).map((flow) => [flow, costOf(() => 1)])) as Costs;
  const times = (changes: object): Record<string, number> =>
    Object.fromEntries(estimate({ ...DEFAULT_PROFILE, ...changes }, flat, {}).rows.map((row) => [row.flow, row.times]));

  test('splits the changes by consent and kind', () => {
    const split = times({ changes: { Observation: 900, Patient: 100 }, consenting: 0.5, created: 0.7, deleted: 0.1 });
    expect(split['change-created']).toBeCloseTo(350);
    expect(split['change-updated']).toBeCloseTo(100);
    expect(split['change-deleted']).toBeCloseTo(50);
    expect(split['change-refused']).toBeCloseTo(500);
  });

  test('runs what runs by the clock', () => {
    const ticks = times({ scrapeSeconds: 30 });
    expect([ticks['retry-idle'], ticks['sweep-idle'], ticks['reconcile-idle'], ticks['scrape']]).toEqual([
      1440, 288, 288, 2880,
    ]);
  });

  test('mirrors what all of it leaves in the replica’s trail, and what others read there', () => {
    const rows = times({ partnerReads: 7 });
    const others = Object.entries(rows).filter(([flow]) => flow !== 'mirror-event');
    expect(rows['mirror-event']).toBeCloseTo(others.reduce((sum, [, count]) => sum + count, 7));
  });

  test('is held against the quota of each membership; only what people bring about has a peak', () => {
    const { loads, total } = estimate({ ...DEFAULT_PROFILE, peak: 10 }, readCosts(), { 'sync-change': 200_000 });
    const load = (name: string): (typeof loads)[number] | undefined =>
      loads.find(({ membership }) => membership === name);
    const sync = load('sync-change');
    expect(sync?.peakUnits).toBeCloseTo(((sync?.units ?? 0) / 1440) * 10);
    expect(sync?.share).toBeCloseTo((sync?.peakUnits ?? 0) / 200_000);
    expect(load('sweep')?.peakUnits).toBeCloseTo((load('sweep')?.units ?? 0) / 1440);
    expect(load('sweep')?.quota).toBe(50_000);
    expect(load('client on the replica')?.units).toBeCloseTo(total.replicaUnits);
  });
});

describe('a profile', () => {
  test('is laid over the defaults; flags count more; types that are named are all there are', () => {
    const read = readProfile({ patients: 5, changes: { Encounter: 2 }, reads: { export: 1 } }, [
      'patients=6',
      'changes.Patient=3',
    ]);
    expect(read).toEqual({
      profile: {
        ...DEFAULT_PROFILE,
        patients: 6,
        changes: { Encounter: 2, Patient: 3 },
        reads: { ...DEFAULT_PROFILE.reads, export: 1 },
      },
    });
  });

  test.each<[unknown, string[], RegExp]>([
    [{ patient: 1 }, [], /^patient is not known/],
    [undefined, ['changes.Claim=1'], /^changes.Claim is not known/],
    [{ consenting: 60 }, [], /a share/],
    [{ patients: '7' }, [], /must be a number/],
    [undefined, ['patients='], /must be a number/],
    [undefined, ['peak=-1'], /must be a number/],
    [{ created: 0.9, deleted: 0.2 }, [], /at most 1/],
    [{ scrapeSeconds: 0 }, [], /above 0/],
    [[], [], /an object/],
  ])('%j %j is refused', (given, flags, problem) => {
    const read = readProfile(given, flags);
    expect('problems' in read ? read.problems.join() : 'taken').toMatch(problem);
  });
});

describe('the command', () => {
  test('prints what docs/operate.md shows', () => {
    const page = readFileSync(join(root, 'docs', 'operate.md'), 'utf8');
    const [, block = ''] = /<!-- estimate:begin -->\s+```\n(.*?)```/s.exec(page) ?? [];
    expect(run()).toBe(block);
  });

  test('takes the profile of docs/operate.md, and answers one document', () => {
    const page = readFileSync(join(root, 'docs', 'operate.md'), 'utf8');
    const [, profile = ''] = /```json\n(.*?)```/s.exec(page.slice(page.indexOf('npm run estimate'))) ?? [];
    const file = join(mkdtempSync(join(tmpdir(), 'estimate-')), 'profile.json');
    writeFileSync(file, profile);
    const {
      profile: read,
      loads,
      total,
    } = JSON.parse(run('--profile', file, '--json')) as ReturnType<typeof estimate> & {
      profile: typeof DEFAULT_PROFILE;
    };
    expect(read.changes).toEqual({ Observation: 6000, Encounter: 600 });
    expect(loads.length).toBeGreaterThan(10);
    expect(total.units).toBeGreaterThan(1_000_000);
  });

  test('says which minute is too much', () => {
    expect(run('changes.Observation=400000')).toMatch(
      /! client on the replica: the busiest minute takes \d+ % of the quota/
    );
  });

  test('refuses what it does not know', () => {
    expect(() => run('--profil', 'x')).toThrow();
    expect(() => run('patiens=1')).toThrow();
  });
});
