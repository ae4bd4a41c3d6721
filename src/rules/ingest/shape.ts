/** Whether JSON from outside can be looked at at all: depth, names, text and numbers, before anything reads it as FHIR. Pure. */

/** How much one may send. */
export interface Bounds {
  /** Bytes of the JSON text. */
  readonly bytes: number;
  /** Entries of a Bundle. */
  readonly entries: number;
  /** Levels of objects and lists. */
  readonly depth: number;
}

export type ShapeProblem = 'too-deep' | 'element-name' | 'text-encoding' | 'number-range';

/** Elements of FHIR, primitive extensions with their underscore; none of them is a name that JavaScript gives a meaning to. */
const NAME = /^_?[a-z][A-Za-z0-9]{0,63}$/;
const MEANT = ['constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'toJSON'];

/** Half of a surrogate pair, and control characters: PostgreSQL cannot store U+0000, FHIR allows tab, line feed and carriage return. */
const UNSTORABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]|\p{Surrogate}/u;

/** Beyond 2^53 JSON numbers lose digits; no measurement of a person is that large. */
const LARGEST = Number.MAX_SAFE_INTEGER;

/**
 * Looks at every value, without recursion: what is too deep for the stack is only too deep.
 *
 * @param value - Parsed JSON.
 * @param depth - How many levels it may have.
 * @returns The first problem, or undefined.
 */
export function shapeProblem(value: unknown, depth: number): ShapeProblem | undefined {
  const open: { readonly value: unknown; readonly level: number }[] = [{ value, level: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value: one, level } = next;
    if (typeof one === 'string' && UNSTORABLE.test(one)) {
      return 'text-encoding';
    }
    if (typeof one === 'number' && !(Math.abs(one) <= LARGEST)) {
      return 'number-range';
    }
    if (typeof one !== 'object' || one === null) {
      continue;
    }
    if (level >= depth) {
      return 'too-deep';
    }
    const names = Array.isArray(one) ? [] : Object.keys(one);
    if (names.some((name) => !NAME.test(name) || MEANT.includes(name))) {
      return 'element-name';
    }
    for (const each of Object.values(one) as unknown[]) {
      open.push({ value: each, level: level + 1 });
    }
  }
  return undefined;
}
