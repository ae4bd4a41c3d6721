/** Bytes of an NDJSON file → whole lines, each with the place where it ends. Pure. */
import type { Buffer } from 'node:buffer';

const NEWLINE = 0x0a;

/** One line. */
export interface Line {
  /** Undefined for one that is too long. */
  readonly text: string | undefined;
  /** Where the next one begins, in bytes of what was split. */
  readonly end: number;
}

/** What came of it. */
export interface Split {
  readonly lines: readonly Line[];
  /** Bytes that need not be read again: whole lines, and of one that is too long whatever there is. */
  readonly used: number;
  /** Whether a line that is too long goes on behind them. */
  readonly isSkipping: boolean;
}

/**
 * Splits bytes. What stands behind the last line break is a line when the file ends there, and otherwise comes again with what follows.
 *
 * @param bytes - Of a file, from the begin of a line, or from within one that is passed over.
 * @param file - Whether it ends here, whether a line is passed over, and the most bytes of a line.
 * @returns The lines. Characters of several bytes are never torn: only whole lines become text.
 */
export function split(
  bytes: Buffer,
  file: { readonly isEnd: boolean; readonly isSkipping: boolean; readonly most: number }
): Split {
  const lines: Line[] = [];
  let { isSkipping } = file;
  let begin = 0;
  const take = (end: number, next: number): void => {
    const isTooLong = isSkipping || end - begin > file.most;
    lines.push({ text: isTooLong ? undefined : bytes.subarray(begin, end).toString('utf8').trim(), end: next });
    isSkipping = false;
    begin = next;
  };
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, begin)) {
    take(at, at + 1);
  }
  const left = bytes.length - begin;
  if (file.isEnd && (left > 0 || isSkipping)) {
    take(bytes.length, bytes.length);
  } else if (left > file.most || (isSkipping && left > 0)) {
    isSkipping = true;
    begin = bytes.length;
  }
  return { lines, used: begin, isSkipping };
}
