/** The files of the demo: inputs are read, results are written. */
import { createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { join } from 'node:path';
import { parseInput } from './parse.ts';
import type { Entry } from './parse.ts';
import type { Problem } from './report.ts';

/** What was read. */
export interface Inputs {
  /** Their paths; a problem's `input` counts them from 1. */
  readonly files: readonly string[];
  readonly entries: readonly Entry[];
  readonly problems: readonly Problem[];
}

/**
 * Reads all inputs. One that is malformed does not hold back the others, and nothing of it is used.
 *
 * @param paths - Files and folders.
 * @returns Their entries, and what is wrong with the rest.
 */
export function readInputs(paths: readonly string[]): Inputs {
  const files = paths.flatMap(filesIn);
  const entries: Entry[] = [];
  const problems: Problem[] = [];
  files.forEach((file, position) => {
    const input = position + 1;
    const parsed = readText(file, (text) => parseInput(input, text));
    if ('problem' in parsed) {
      problems.push({ kind: 'input', input, message: parsed.problem });
    } else {
      entries.push(...parsed.entries);
    }
  });
  return { files, entries, problems };
}

/**
 * @param file - A file.
 * @param use - What to do with its text.
 * @returns What that gives, or why the file cannot be read.
 */
export function readText<T>(file: string, use: (text: string) => T): T | { readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { problem: `cannot be read (${codeOf(error)})` };
  }
  return use(text);
}

/** The data files of a folder, in order of name; a path that is no folder stands for itself, also if nothing is there. */
function filesIn(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    return [path];
  }
  return readdirSync(path)
    .filter((name) => /\.(json|ndjson)$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

/** Where results go. */
export interface Output {
  /** Opens a file of JSON lines. */
  lines(name: string): Lines;
  json(name: string, value: unknown): void;
}

export interface Lines {
  write(value: unknown): void;
  close(): Promise<void>;
}

const RESULTS = ['wire.ndjson', 'logs.ndjson', 'source-audit.ndjson', 'report.json'];

/**
 * Prepares the folder. Results of an earlier run are removed, and nothing else: the folder may be anybody's.
 *
 * @param folder - The folder.
 * @returns The way to write into it.
 * @throws Error with a message for the user, when the folder cannot be made.
 */
export function openOutput(folder: string): Output {
  try {
    mkdirSync(join(folder, 'replica'), { recursive: true });
    const copies = readdirSync(join(folder, 'replica')).filter((name) => /^[A-Z]\w+\.ndjson$/.test(name));
    [...RESULTS, ...copies.map((name) => join('replica', name))].forEach((name) =>
      rmSync(join(folder, name), { force: true })
    );
  } catch (error) {
    throw new Error(`the folder for the results cannot be written to (${codeOf(error)})`, { cause: error });
  }
  return {
    lines(name): Lines {
      const stream = createWriteStream(join(folder, name));
      return {
        write: (value) => void stream.write(`${JSON.stringify(value)}\n`),
        async close(): Promise<void> {
          stream.end();
          await finished(stream);
        },
      };
    },
    json: (name, value) => writeFileSync(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`),
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
