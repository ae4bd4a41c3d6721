/** Runs the preview in this process, over texts instead of files. */
import { Readable } from 'node:stream';
import { runPreview } from '../../scripts/deid/preview.ts';
import type { Counts, Preview } from '../../scripts/deid/preview.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { AT, KEY } from '../rules/deid/support.ts';

export interface Ran {
  readonly lines: readonly {
    readonly index: number;
    readonly ok: boolean;
    readonly reason?: string;
    readonly resource?: Readonly<Record<string, unknown>>;
    readonly dropped?: readonly { readonly path: string; readonly reason: string }[];
  }[];
  /** Standard output as it is. */
  readonly text: string;
  readonly told: readonly string[];
  readonly counts: Counts;
}

/**
 * @param texts - One per input.
 * @param options - As on the command line.
 * @param chunk - How many bytes arrive at a time.
 */
export async function preview(
  texts: readonly string[],
  options: Partial<Pick<Preview, 'patient' | 'isExplained' | 'key' | 'profile'>> = {},
  chunk = 64 * 1024
): Promise<Ran> {
  const output: string[] = [];
  const told: string[] = [];
  const inputs = texts.map((text, position) => ({
    name: `input ${position}`,
    open: () => Readable.from(pieces(Buffer.from(text), chunk)),
  }));
  const counts = await runPreview({
    inputs,
    profile: 'pseudonymised',
    key: KEY,
    systems: systemsOf(),
    at: AT,
    patient: undefined,
    isExplained: false,
    write: async (line) => void output.push(line),
    tell: (message) => void told.push(message),
    ...options,
  });
  const text = output.join('');
  return {
    lines: text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Ran['lines'][number]),
    text,
    told,
    counts,
  };
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) {
    yield bytes.subarray(from, from + size);
  }
}

export const ndjson = (...resources: readonly unknown[]): string =>
  resources.map((each) => JSON.stringify(each)).join('\n');
