/** Runs demos for tests, and reads what they have written. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demo } from '../../scripts/demo.ts';
import type { Demo, DemoOptions } from '../../scripts/demo.ts';
import type { WireLine } from '../../scripts/demo/wire.ts';

/** A demo that was run, and its files. */
export interface Ran extends Demo {
  readonly text: string;
  readonly folder: string;
  lines(name: string): string[];
  /** All results, by file name, as lines. */
  files(): ReadonlyMap<string, string[]>;
  copies(): Resource[];
  /** The requests that carry data, or ask for it. */
  sent(): WireLine[];
}

const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'demo-'));
  folders.push(folder);
  return folder;
}

/**
 * @param value - What to write as JSON.
 * @returns The file it is in, until `tidy`.
 */
export function fileOf(value: unknown): string {
  const path = join(newFolder(), 'value.json');
  writeFileSync(path, JSON.stringify(value));
  return path;
}

/** Removes what the tests have written. */
export function tidy(): void {
  folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true }));
}

/**
 * @param inputs - Bundles, or texts that are to be taken for one.
 * @param options - Changes to an ordinary demo.
 * @returns What came of it.
 */
export async function runDemo(inputs: readonly (Bundle | string)[], options: Partial<DemoOptions> = {}): Promise<Ran> {
  const folder = newFolder();
  const paths = inputs.map((input, index) => {
    const path = join(folder, `input-${index}.json`);
    writeFileSync(path, typeof input === 'string' ? input : JSON.stringify(input));
    return path;
  });
  const out = join(folder, 'out');
  const texts: string[] = [];
  const result = await demo({
    inputs: paths,
    out,
    consent: 'all',
    samples: { seed: 1, count: 1 },
    screen: { write: (text) => texts.push(text) },
    ...options,
  });
  const lines = (name: string): string[] => readFileSync(join(out, name), 'utf8').split('\n').filter(Boolean);
  const replica = (): string[] => readdirSync(join(out, 'replica')).map((name) => join('replica', name));
  return {
    ...result,
    text: texts.join(''),
    folder,
    lines,
    files: () =>
      new Map(
        [...readdirSync(out).filter((name) => name.includes('.')), ...replica()].map((name) => [name, lines(name)])
      ),
    copies: () => replica().flatMap((name) => lines(name).map((line) => JSON.parse(line) as Resource)),
    sent: () =>
      lines('wire.ndjson')
        .map((line) => JSON.parse(line) as WireLine)
        .filter(({ url }) => !url.endsWith('/oauth2/token')),
  };
}
