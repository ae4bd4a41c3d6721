/** Finds identifying strings in what left: in files of JSON lines, requests, replicas. */
import type { IdentifyingString } from './identifying.ts';

/** One finding. */
export interface Leak extends IdentifyingString {
  /** The line it stands in, counted from 1. */
  readonly line: number;
}

const WORD = /[\p{L}\p{N}]+/gu;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/**
 * Looks for each string, as whole words, in everything that the lines say: in JSON texts after unescaping, and in what is
 * percent-encoded or base64 in them.
 *
 * @param lines - JSON texts, or plain text.
 * @param strings - What to look for.
 * @returns The findings, one per string and line.
 */
export function leaksIn(lines: readonly string[], strings: readonly IdentifyingString[]): Leak[] {
  const needles = strings.map((string) => ({ string, words: wordsOf(string.value) }));
  return lines.flatMap((line, index) => {
    const text = toldBy(line);
    const words = new Set(wordsOf(text));
    return needles
      .filter((needle) => needle.words.every((word) => words.has(word)) && isIn(text, needle.string))
      .map(({ string }) => ({ ...string, line: index + 1 }));
  });
}

const wordsOf = (text: string): string[] => text.match(WORD) ?? [];

function isIn(text: string, { kind, value }: IdentifyingString): boolean {
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    const before = text[at - 1] ?? ' ';
    const after = text[at + value.length] ?? ' ';
    // A shifted date-time may fall on somebody's birthday; a date alone may not.
    const isOther = kind === 'birth-date' && value.length === 10 && after === 'T';
    // A ZIP code of digits alone may be a port or the rest of a decimal.
    const isNumber = /^\d+$/.test(value) && /[:.]/.test(before);
    if (!LETTER_OR_DIGIT.test(before) && !LETTER_OR_DIGIT.test(after) && !isOther && !isNumber) {
      return true;
    }
  }
  return false;
}

/** All texts of a line, also those in other clothes. Numbers are measurements: what identifies somebody is text in FHIR. */
function toldBy(line: string): string {
  const told: string[] = [];
  const tell = (value: unknown): void => {
    if (typeof value === 'string') {
      told.push(value, ...disguised(value));
    } else if (Array.isArray(value)) {
      value.forEach(tell);
    } else if (typeof value === 'object' && value !== null) {
      Object.entries(value)
        .filter(([key]) => key !== 'content-length')
        .forEach(([key, child]) => {
          told.push(key);
          tell(child);
        });
    }
  };
  tell(parsed(line) ?? line);
  return told.join('\n');
}

function disguised(value: string): string[] {
  const text = /^[[{]/.test(value) ? parsed(value) : undefined;
  return [
    ...(text === undefined ? [] : [toldBy(value)]),
    ...(/%[0-9A-Fa-f]{2}/.test(value) ? [decoded(value)] : []),
    ...(/^[A-Za-z0-9+/]{16,}={0,2}$/.test(value) ? [Buffer.from(value, 'base64').toString('utf8')] : []),
  ];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
