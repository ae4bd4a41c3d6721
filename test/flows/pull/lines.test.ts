import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { split } from '../../../src/flows/ingest/pull/lines.ts';

const most = 20;

/** Reads a file by slices that end where they like, as a pull does. */
function read(bytes: Buffer, cuts: readonly number[]): (string | undefined)[] {
  const texts: (string | undefined)[] = [];
  let [offset, isSkipping, turn] = [0, false, 0];
  for (;;) {
    // A slice that brings nothing is asked for again, and is longer in the end.
    const length = Math.min(bytes.length - offset, (cuts[turn % cuts.length] ?? 1) + turn);
    turn++;
    const isEnd = offset + length === bytes.length;
    const part = split(bytes.subarray(offset, offset + length), { isEnd, isSkipping, most });
    texts.push(...part.lines.map(({ text }) => text));
    offset += part.used;
    ({ isSkipping } = part);
    if (isEnd) {
      return texts;
    }
  }
}

test('however a file is cut, each of its lines comes once, whole, in order', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 4 }),
    fc.constantFrom('ä', '€uro', '👩‍⚕️', '', 'x'.repeat(most), 'y'.repeat(most + 1), 'z'.repeat(90))
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 9 }),
      (lines, isTerminated, cuts) => {
        const clean = lines.map((each) => each.replaceAll(/[\n\r]/g, ' '));
        const text = clean.join('\n') + (isTerminated ? '\n' : '');
        const parts = text.split('\n');
        const expected = (parts.at(-1) === '' ? parts.slice(0, -1) : parts).map((each) =>
          Buffer.byteLength(each) > most ? undefined : each.trim()
        );
        expect(read(Buffer.from(text, 'utf8'), cuts)).toEqual(expected);
      }
    ),
    { numRuns: 500 }
  );
});

test('each line says where the next one begins', () => {
  const { lines, used } = split(Buffer.from('é\n\nab\ncd', 'utf8'), { isEnd: false, isSkipping: false, most });
  expect(lines).toEqual([
    { text: 'é', end: 3 },
    { text: '', end: 4 },
    { text: 'ab', end: 7 },
  ]);
  expect(used).toBe(7);
});

test('a line that is longer than what is read at once is passed over, not read again and again', () => {
  const begin = split(Buffer.from('x'.repeat(most + 1), 'utf8'), { isEnd: false, isSkipping: false, most });
  expect(begin).toEqual({ lines: [], used: most + 1, isSkipping: true });
  const end = split(Buffer.from('xx\nab\n', 'utf8'), { isEnd: false, isSkipping: true, most });
  expect(end.lines).toEqual([
    { text: undefined, end: 3 },
    { text: 'ab', end: 6 },
  ]);
  expect(end.isSkipping).toBe(false);
});
