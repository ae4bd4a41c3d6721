/** The manifest of an export ("Response - Complete Status"), judged before anything of it is fetched. Pure. */
import { isObject } from '../../../rules/ingest/elements.ts';

/** One file. */
export interface FileRow {
  readonly role: 'output' | 'deleted' | 'error';
  /** The type that the manifest says its lines have. */
  readonly type: string;
  readonly url: string;
  /** How many lines it should have. */
  readonly count?: number;
}

/** What is to be read. */
export interface Manifest {
  /** An instant. */
  readonly transactionTime: string;
  readonly needsToken: boolean;
  /** Patients first, then what may refer to them; then what was deleted, then errors. */
  readonly files: readonly FileRow[];
  /** Types of files that nobody asked for. */
  readonly skipped: readonly string[];
}

const MOST_FILES = 10_000;

/**
 * Reads a manifest.
 *
 * @param content - The answer, as JSON.
 * @param types - The types that were asked for, in the order in which they are read.
 * @returns The manifest, or what is wrong with it, in words of ours.
 */
export function readManifest(content: unknown, types: readonly string[]): Manifest | { readonly problem: string } {
  if (!isObject(content)) {
    return { problem: 'the manifest is no JSON object' };
  }
  const { transactionTime, requiresAccessToken, output, deleted = [], error = [] } = content;
  if (typeof transactionTime !== 'string' || Number.isNaN(Date.parse(transactionTime))) {
    return { problem: 'the manifest has no transactionTime' };
  }
  if (typeof requiresAccessToken !== 'boolean') {
    return { problem: 'the manifest does not say whether files require a token' };
  }
  const [outputs, deletions, errors] = [
    filesOf('output', output),
    filesOf('deleted', deleted),
    filesOf('error', error),
  ];
  if (!outputs || !deletions || !errors) {
    return { problem: 'the manifest has files without type or address' };
  }
  if (outputs.length + deletions.length + errors.length > MOST_FILES) {
    return { problem: `the manifest has more than ${MOST_FILES} files` };
  }
  const wanted = outputs.filter(({ type }) => types.includes(type));
  return {
    transactionTime: new Date(Date.parse(transactionTime)).toISOString(),
    needsToken: requiresAccessToken,
    files: [...wanted.toSorted((a, b) => types.indexOf(a.type) - types.indexOf(b.type)), ...deletions, ...errors],
    skipped: [...new Set(outputs.filter((file) => !wanted.includes(file)).map(({ type }) => type))],
  };
}

/**
 * Whether the links of one manifest can take the place of another's: the same export, and the same files in the same order.
 *
 * @param one - A manifest.
 * @param other - Another.
 * @returns True when they can.
 */
export function isSameExport(one: Manifest, other: Manifest): boolean {
  return (
    one.transactionTime === other.transactionTime &&
    one.files.length === other.files.length &&
    one.files.every(({ role, type, count }, index) => {
      const file = other.files[index];
      return file?.role === role && file.type === type && file.count === count;
    })
  );
}

function filesOf(role: FileRow['role'], list: unknown): FileRow[] | undefined {
  if (!Array.isArray(list)) {
    return undefined;
  }
  const files = list.map((each: unknown): FileRow | undefined => {
    const { type, url, count } = isObject(each) ? each : {};
    if (typeof type !== 'string' || !/^[A-Z][A-Za-z]{1,40}$/.test(type) || typeof url !== 'string' || !isUrl(url)) {
      return undefined;
    }
    return { role, type, url, ...(typeof count === 'number' && Number.isSafeInteger(count) && { count }) };
  });
  return files.every((file) => file !== undefined) ? files : undefined;
}

function isUrl(text: string): boolean {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}
