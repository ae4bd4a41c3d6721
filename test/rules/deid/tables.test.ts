import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compileTables, compileType, Lists } from '../../../scripts/build/deid-tables.ts';
import { KEEP_LISTS } from '../../../src/rules/deid/keep-list.ts';
import { CODE_SYSTEMS, LISTS, TABLES } from '../../../src/rules/deid/tables.generated.ts';
import { factsOf, sweep } from '../../../src/rules/deid/sweep.ts';

it('is what the compiler makes of the keep-list and the definitions today', () => {
  const committed = readFileSync(new URL('../../../src/rules/deid/tables.generated.ts', import.meta.url), 'utf8');
  expect(committed).toBe(compileTables());
});

it('compiles only when every element of a type is decided', () => {
  const { status: _, ...rest } = KEEP_LISTS['Observation'] as Record<string, never>;
  const lists = KEEP_LISTS as Record<string, unknown>;
  const whole = lists['Observation'];
  lists['Observation'] = rest;
  expect(() => compileType('Observation', new Lists())).toThrow('Observation.status has no row');
  lists['Observation'] = { ...(whole as object), invented: 'keep' };
  expect(() => compileType('Observation', new Lists())).toThrow('Observation.invented is no element');
  lists['Observation'] = { ...(whole as object), note: 'code' };
  expect(() => compileType('Observation', new Lists())).toThrow("'code' does not apply to Annotation");
  lists['Observation'] = whole;
});

it('has no code that the sweep, with its own vocabulary, would take for a name', () => {
  const valueSets = [
    ...Object.values(TABLES)
      .join(' ')
      .matchAll(/:v(\d+)/g),
  ].map(([, at]) => LISTS.split(';')[Number(at)] ?? '');
  const codes = [...Object.values(CODE_SYSTEMS).filter((each) => !each.startsWith('~')), ...valueSets].flatMap((list) =>
    list.split('|')
  );
  const words = codes.filter((code) => /^[A-Za-z-]{2,}$/.test(code));
  const facts = factsOf({ resourceType: 'Patient', name: words.map((word) => ({ family: word })) });
  expect(words.filter((word) => sweep(word, facts))).toEqual([]);
});
