import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { suppress, told } from '../../../src/rules/research/anonymity.ts';

const of = (cells: Readonly<Record<string, number>>, k: number): ReturnType<typeof suppress> =>
  suppress(new Map(Object.entries(cells)), k);

describe('small groups are left out', () => {
  test('and none that is large enough, when there are no small ones', () => {
    expect(of({ a: 11, b: 30 }, 11)).toEqual({ suppressed: new Set(), released: 41, withheld: 0, smallest: 11 });
  });
  test('with the next larger one, when those who are missing would be few', () => {
    expect(of({ a: 1, b: 11, c: 30 }, 11)).toEqual({
      suppressed: new Set(['a', 'b']),
      released: 30,
      withheld: 12,
      smallest: 30,
    });
  });
  test('without it, when they are enough by themselves', () => {
    expect(of({ a: 6, b: 5, c: 30 }, 11)).toMatchObject({
      suppressed: new Set(['a', 'b']),
      released: 30,
      withheld: 11,
    });
  });
  test('all of them, when nothing else hides the few', () => {
    expect(of({ a: 1, b: 3 }, 3)).toMatchObject({ released: 0, withheld: 4, smallest: 0 });
  });
  test('of nobody', () => {
    expect(of({}, 11)).toEqual({ suppressed: new Set(), released: 0, withheld: 0, smallest: 0 });
  });
  test('alike in whatever order they come', () => {
    expect(of({ x: 3, y: 3, z: 1 }, 3).suppressed).toEqual(of({ z: 1, y: 3, x: 3 }, 3).suppressed);
  });
});

test('whatever the groups: nobody is shown among fewer than k, and either none or k at least are missing', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.integer({ min: 1, max: 40 })),
      fc.integer({ min: 2, max: 20 }),
      (cells, k) => {
        const { suppressed, released, withheld, smallest } = of(cells, k);
        const total = Object.values(cells).reduce((sum, size) => sum + size, 0);
        const shown = Object.entries(cells).filter(([cell]) => !suppressed.has(cell));
        expect(released + withheld).toBe(total);
        expect(shown.every(([, size]) => size >= k)).toBe(true);
        expect(smallest).toBe(shown.length > 0 ? Math.min(...shown.map(([, size]) => size)) : 0);
        expect(withheld === 0 || withheld >= k || released === 0).toBe(true);
        // No more than needed: without its largest suppressed cell a complementary suppression would not have been enough.
        expect(withheld === 0 || [...suppressed].some((cell) => (cells[cell] ?? 0) < k)).toBe(true);
      }
    )
  );
});

test('a small count is told as one', () => {
  expect([0, 1, 10, 11].map((count) => told(count, 11))).toEqual([0, '<11', '<11', 11]);
});
