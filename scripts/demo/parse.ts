/** The text of one input → its entries. Pure; judges the form only, not the resources. */

/** One resource of an input, not yet known to be one. */
export interface Entry {
  /** Which input, counted from 1. */
  readonly input: number;
  /** Which entry of it, counted from 1. */
  readonly index: number;
  readonly fullUrl?: string;
  readonly content: unknown;
}

export type Parsed = { readonly entries: readonly Entry[] } | { readonly problem: string };

type Tree = Readonly<Record<string, unknown>>;

/**
 * Reads a Bundle of any type, an array of resources, one resource, or NDJSON.
 *
 * @param input - Which input this is, counted from 1.
 * @param text - Its text.
 * @returns The entries, or what is wrong; never a piece of the text, which may be about somebody.
 */
export function parseInput(input: number, text: string): Parsed {
  const clean = text.replace(/^\uFEFF/, '').trim();
  if (clean === '') {
    return { problem: 'is empty' };
  }
  try {
    return entriesOf(input, JSON.parse(clean) as unknown);
  } catch (error) {
    return parseLines(input, clean) ?? { problem: `is not valid JSON${placeOf(error, clean)}` };
  }
}

function entriesOf(input: number, value: unknown): Parsed {
  if (Array.isArray(value)) {
    return number(
      input,
      value.map((content) => ({ content: content as unknown }))
    );
  }
  if (!isTree(value) || typeof value['resourceType'] !== 'string') {
    return { problem: 'is neither a Bundle, nor a resource, nor an array of resources' };
  }
  if (value['resourceType'] !== 'Bundle') {
    return number(input, [{ content: value }]);
  }
  const { entry = [] } = value;
  if (!Array.isArray(entry)) {
    return { problem: 'is a malformed Bundle: `entry` is not an array' };
  }
  const entries = entry.map((item: unknown) => ({
    content: isTree(item) ? item['resource'] : undefined,
    ...(isTree(item) && typeof item['fullUrl'] === 'string' && { fullUrl: item['fullUrl'] }),
  }));
  return number(input, entries);
}

function number(input: number, entries: readonly Omit<Entry, 'input' | 'index'>[]): Parsed {
  return entries.length > 0
    ? { entries: entries.map((entry, position) => ({ ...entry, input, index: position + 1 })) }
    : { problem: 'holds no resources' };
}

/** NDJSON, if the first of several lines is a JSON object; a later line that is none becomes an entry without content. */
function parseLines(input: number, text: string): Parsed | undefined {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const contents = lines.map(parseLine);
  return lines.length > 1 && isTree(contents[0])
    ? number(
        input,
        contents.map((content) => ({ content }))
      )
    : undefined;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** V8's message quotes the text around the error; only the position of it may be told. */
function placeOf(error: unknown, text: string): string {
  const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
  if (position === undefined) {
    return '';
  }
  const before = text.slice(0, Number(position)).split('\n');
  return ` (line ${before.length}, column ${(before.at(-1) ?? '').length + 1})`;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
