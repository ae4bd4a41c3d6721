/** The own cases guard every rule: the evaluator is built once with each seeded fault, and some case must answer otherwise. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { evaluate as Evaluate } from '../../../src/rules/consent/evaluate.ts';
import { aRequest } from './builders.ts';
import { RULES } from './cases.ts';
import type { Fault } from './faults.ts';
import { FAULTS } from './faults.ts';
import { JUDGED } from './judged.ts';

const source = new URL('../../../src/rules/consent/', import.meta.url);
const cases = [...Object.values(RULES), ...Object.values(JUDGED)].flat();

/** The evaluator with a fault in it. */
async function faulty(fault?: Fault): Promise<typeof Evaluate> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('evaluate.ts', source))],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'faulty',
    logLevel: 'silent',
    plugins: [
      {
        name: 'fault',
        setup(builder) {
          builder.onLoad({ filter: /rules\/consent\/[\w-]+\.ts$/ }, ({ path }) => {
            const contents = readFileSync(path, 'utf8');
            return { contents: basename(path) === fault?.file ? plant(contents, fault) : contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  return runInThisContext(`(() => { ${outputFiles[0]?.text}; return faulty.evaluate; })()`) as typeof Evaluate;
}

function plant(contents: string, { find, replace, file }: Fault): string {
  if (!contents.includes(find)) {
    throw new Error(`${file} does not hold: ${find}`);
  }
  return contents.replace(find, () => replace);
}

/** The cases that the evaluator answers otherwise: permit or not, and what kind of refusal. */
function noticed(evaluate: typeof Evaluate): string[] {
  return cases.flatMap(([sentence, consents, request, expected]) => {
    let decision: string;
    try {
      decision = evaluate([consents].flat(), aRequest(request)).decision;
    } catch {
      decision = 'throws';
    }
    return decision === expected.split(' ')[0] ? [] : [sentence];
  });
}

test('without a fault every case is answered as it should be', async () => {
  expect(noticed(await faulty())).toEqual([]);
});

test('every rule has a seeded fault', () => {
  expect([...new Set(FAULTS.map(({ rule }) => Number(rule)))].sort((a, b) => a - b)).toEqual(
    Array.from({ length: 25 }, (_, i) => i + 1)
  );
});

describe.concurrent('a seeded fault is noticed', () => {
  test.each(FAULTS)('rule $rule: $fault', async (fault) => {
    expect(noticed(await faulty(fault)).length).toBeGreaterThan(0);
  });
});
