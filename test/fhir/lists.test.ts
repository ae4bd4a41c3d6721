import fc from 'fast-check';
import { expect, test } from 'vitest';
import { listsOf } from '../../src/fhir/lists.ts';

const value = fc.stringMatching(/^[A-Za-z0-9/%-]{1,120}$/);

test('lists hold every value once, in order, and none is longer than a server takes', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 2000, size: 'max' }), (values) => {
      const lists = listsOf(values);
      expect(lists.flatMap((list) => list.split(','))).toEqual(values);
      expect(Math.max(0, ...lists.map(({ length }) => length))).toBeLessThanOrEqual(30_000);
    }),
    { numRuns: 50 }
  );
});

test('what fits is one list; nothing is none', () => {
  expect(listsOf(['a', 'b'])).toEqual(['a,b']);
  expect(listsOf([])).toEqual([]);
  expect(listsOf(Array.from({ length: 660 }, () => 'x'.repeat(44)))).toHaveLength(1);
  expect(listsOf(Array.from({ length: 670 }, () => 'x'.repeat(44)))).toHaveLength(2);
});
