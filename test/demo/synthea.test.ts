import type { Bundle } from '@medplum/fhirtypes';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { referencesOf } from '../../scripts/demo/flaws.ts';
import { identifyingStrings } from '../../scripts/samples/identifying.ts';
import { leaksIn } from '../../scripts/samples/leaks.ts';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { runDemo, tidy } from './kit.ts';
import type { Ran } from './kit.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'synthea');
const files = [
  'Fannie_Waelchi_8666cd40-7af9-48c6-a1a6-86a161195542.json',
  'Dwain_McGlynn_7515d14b-843b-4210-8b6b-a33ab253d560.json',
].map((name) => join(folder, name));
const isHere = files.every((file) => existsSync(file));
if (!isHere) {
  console.log('Skipped: ../shared/data/synthea is not here.');
}

afterAll(tidy);

describe.skipIf(!isHere)('a demo over two Synthea patients', () => {
  let ran: Ran;
  let bundles: Bundle[];
  beforeAll(async () => {
    bundles = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Bundle);
    ran = await runDemo(bundles);
  });

  test('copies every record of the replicated types', () => {
    expect(ran.report.problems).toEqual([]);
    expect(ran.exitCode).toBe(0);
    const count = (type: string): number =>
      bundles.flatMap(({ entry }) => entry ?? []).filter(({ resource }) => resource?.resourceType === type).length;
    for (const type of REPLICATED_TYPES) {
      if (count(type) === 0) {
        continue;
      }
      expect({ type, ...ran.report.types[type] }).toMatchObject({
        type,
        inSource: count(type),
        replicated: count(type),
      });
    }
  });

  test('has copies whose references lead to copies', () => {
    const copies = ran.copies();
    const addresses = new Set(copies.map(({ resourceType, id }) => `${resourceType}/${id}`));
    expect(copies.flatMap(referencesOf).filter((reference) => !addresses.has(reference))).toEqual([]);
  });

  test('says nothing that identifies anybody, in any file', () => {
    const strings = bundles.flatMap(identifyingStrings);
    for (const [name, lines] of ran.files()) {
      expect({ name, leaks: leaksIn(lines, strings).slice(0, 3) }).toEqual({ name, leaks: [] });
    }
  });
});
