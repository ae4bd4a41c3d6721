/** The bytes of one input → the resources in it. NDJSON is read line by line; a JSON document is in memory as a whole. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** One resource of an input, not yet known to be one. */
export interface Item {
  readonly content: unknown;
  readonly fullUrl?: string;
  /** Where the addresses of the same Bundle lead: fullUrl → `Type/id`. */
  readonly places: ReadonlyMap<string, string>;
}

/** What is wrong with an input as a whole; never a piece of it. */
export interface Flaw {
  readonly problem: string;
}

type Tree = Readonly<Record<string, unknown>>;

const NOWHERE: ReadonlyMap<string, string> = new Map();

/** Stands for a line that is no JSON: it is counted, and is no resource. */
const NO_JSON: Item = { content: undefined, places: NOWHERE };

/**
 * Reads one input.
 *
 * @param stream - Its bytes.
 * @yields Its resources in order, and at most one flaw, last.
 */
export async function* readItems(stream: Readable): AsyncGenerator<Item | Flaw> {
  const lines = linesOf(stream);
  const first = (await lines.next()).value;
  if (first === undefined) {
    yield { problem: 'is empty' };
    return;
  }
  const value = parse(first);
  const second = (await lines.next()).value;
  if (value !== undefined) {
    // A second line means that the first one was not all: NDJSON.
    yield* itemsOf(value);
    for (let line = second; line !== undefined; line = (await lines.next()).value) {
      yield* lineItems(line);
    }
    return;
  }
  const all = [first, ...(second === undefined ? [] : [second])];
  for await (const line of lines) {
    all.push(line);
  }
  yield* documentItems(all);
}

/** A document of several lines, or NDJSON whose first line is broken. */
function* documentItems(lines: readonly string[]): Generator<Item | Flaw> {
  const document = parse(lines.join('\n'));
  if (document !== undefined) {
    yield* itemsOf(document);
  } else if (lines.some((line) => isTree(parse(line)))) {
    for (const line of lines) {
      yield* lineItems(line);
    }
  } else {
    yield { problem: 'is not valid JSON' };
  }
}

function* lineItems(line: string): Generator<Item> {
  const value = parse(line);
  if (value === undefined) {
    yield NO_JSON;
  } else {
    yield* itemsOf(value);
  }
}

/** A Bundle of any type, an array of resources and Bundles, or one resource. */
function* itemsOf(value: unknown): Generator<Item> {
  if (Array.isArray(value)) {
    for (const each of value) {
      yield* itemsOf(each);
    }
  } else if (isTree(value) && value['resourceType'] === 'Bundle' && Array.isArray(value['entry'])) {
    // An entry without a resource, such as a DELETE of a transaction, has nothing that could leave.
    const entries = (value['entry'] as unknown[]).filter(isTree).filter((entry) => 'resource' in entry);
    const places = placesOf(entries);
    for (const { resource, fullUrl } of entries) {
      yield { content: resource, places, ...(typeof fullUrl === 'string' && { fullUrl }) };
    }
  } else {
    yield { content: value, places: NOWHERE };
  }
}

function placesOf(entries: readonly Tree[]): Map<string, string> {
  const places = new Map<string, string>();
  for (const { resource, fullUrl } of entries) {
    const type = isTree(resource) ? resource['resourceType'] : undefined;
    const id = idOf(resource, fullUrl);
    if (typeof fullUrl === 'string' && typeof type === 'string' && id !== undefined) {
      places.set(fullUrl, `${type}/${id}`);
    }
  }
  return places;
}

/**
 * The id of a resource: its own, or the last part of its address (`urn:uuid:<id>`, `…/Type/<id>`).
 *
 * @param resource - The resource.
 * @param fullUrl - Its address in a Bundle.
 * @returns The id, if there is one.
 */
export function idOf(resource: unknown, fullUrl: unknown): string | undefined {
  const own = isTree(resource) ? resource['id'] : undefined;
  if (typeof own === 'string' && own !== '') {
    return own;
  }
  return typeof fullUrl === 'string' ? /(?:^urn:uuid:|\/)([A-Za-z0-9.-]{1,64})$/.exec(fullUrl)?.[1] : undefined;
}

/**
 * Lines that are not blank. Not `node:readline`, which also breaks lines at U+2028, and JSON strings may hold that.
 *
 * @param stream - Bytes of UTF-8.
 */
async function* linesOf(stream: Readable): AsyncGenerator<string, undefined> {
  const decoder = new StringDecoder('utf8');
  let parts: string[] = [];
  let isFirst = true;
  const whole = (rest: string): string => {
    const line = parts.join('') + rest;
    parts = [];
    const clean = isFirst ? line.replace(/^\uFEFF/, '') : line;
    isFirst = false;
    return clean;
  };
  for await (const chunk of stream) {
    const pieces = decoder.write(chunk as Buffer).split('\n');
    const last = pieces.pop() ?? '';
    for (const piece of pieces) {
      const line = whole(piece);
      if (line.trim() !== '') {
        yield line;
      }
    }
    parts.push(last);
  }
  const line = whole(decoder.end());
  if (line.trim() !== '') {
    yield line;
  }
  return undefined;
}

/** Undefined for what is no JSON; `null` is JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
