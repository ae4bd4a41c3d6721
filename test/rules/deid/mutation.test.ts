/** Every row of the policy is guarded: whichever is taken away, a golden copy is another one. */
import type { Resource } from '@medplum/fhirtypes';
import { format } from 'prettier';
import { describe, expect, it } from 'vitest';
import { transform } from '../../../src/rules/deid/deidentify.ts';
import type { DeidContext } from '../../../src/rules/deid/deidentify.ts';
import { TABLES } from '../../../src/rules/deid/tables.generated.ts';
import type { Table } from '../../../src/rules/deid/tables.ts';
import { TABLE_OF } from '../../../src/rules/deid/tables.ts';
import { RICH } from './rich.ts';
import { aContext, copyOf } from './support.ts';
import { variantsOf } from './variants.ts';

/** All rows below a type, as `Type.path`. */
function rowsOf(path: string, table: Table | undefined): string[] {
  return [...(table?.rules ?? [])].flatMap(([name, rule]) => [
    `${path}.${name}`,
    ...rowsOf(`${path}.${name}`, rule.table),
  ]);
}

/** The copies that golden files hold: `deid-<type>.json`, and those of the variants. */
function copies(type: string, context: DeidContext): string {
  return JSON.stringify([RICH[type] as Resource, ...variantsOf(type)].map((record) => transform(record, context)));
}

/** A narrowed policy is one whose tables were parsed without the row. */
function unnoticed(type: string, rows: readonly string[]): string[] {
  const whole = copies(type, aContext());
  return rows.filter((row) => copies(type, aContext({ narrow: [row] })) === whole);
}

it('gives the golden copies of the variants', async () => {
  const all = Object.fromEntries(Object.keys(TABLES).map((type) => [type, variantsOf(type).map((one) => copyOf(one))]));
  const golden = await format(JSON.stringify(all, null, 2), { parser: 'json', printWidth: 120 });
  await expect(golden).toMatchFileSnapshot('../../golden/deid-variants.json');
});

describe.each(Object.keys(TABLES))('without a row of %s', (type) => {
  it('a golden copy is another one, whichever row it is', () => {
    const rows = rowsOf(type, TABLE_OF.get(type));
    expect(rows.length).toBeGreaterThan(0);
    expect(unnoticed(type, rows)).toEqual([]);
  });
});

it('would tell a row that nothing guards', () => {
  expect(unnoticed('Encounter', ['Encounter.status', 'Encounter.invented'])).toEqual(['Encounter.invented']);
});
