/** The command line of the demo → what to do, or what is wrong with it. Pure. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PROFILES } from '../build/policy-problems.ts';

/** Which Consents the patients get. */
export type ConsentChoice = 'all' | 'none' | { readonly file: string };

/** What a demo is made of. */
export interface Request {
  /** Files and folders, in the order given. */
  readonly inputs: readonly string[];
  readonly out: string;
  readonly consent: ConsentChoice;
  /** Instead of the profile of `bots.config.json`. */
  readonly profile?: string;
  /** Generated patients, when there are no inputs. */
  readonly samples: { readonly seed: number; readonly count: number };
}

export type Command =
  | { readonly kind: 'run'; readonly request: Request }
  | { readonly kind: 'help' }
  | { readonly kind: 'misuse'; readonly message: string };

export const USAGE = `Usage: npm run demo -- [--input <file or folder>…] --out <folder> [--consent all|none|<file>] [--profile NAME]

Copies your own FHIR R4 data from a source to a de-identified replica, both in this process. Nothing leaves this machine.

  --input    A Bundle of any type, an array of resources, one resource, or NDJSON; repeatable, several after one --input.
             A folder means its .json and .ndjson files. Without --input, sample patients are generated.
  --out      Where the results go; created if missing. Default: out/demo.
  --consent  all (default): each patient permits everything but genetics; none: no Consents at all;
             a file: a Consent, an array or a Bundle of them, given to each patient unless it names one of them.
  --profile  ${PROFILES.join(' or ')}. Default: that of bots.config.json.
  --patients How many sample patients, when there is no --input. Default: 3.
  --seed     Which sample patients. Default: 1.
  --help     This text.

Results: replica/<Type>.ndjson, wire.ndjson (every request to the replica), source-audit.ndjson, logs.ndjson, report.json.
Exit code: 0 when all is well, 1 when anything failed, 2 when the command line is wrong.`;

/**
 * @param args - The arguments after the script.
 * @returns What is asked for.
 */
export function readCommand(args: readonly string[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        input: { type: 'string', multiple: true },
        out: { type: 'string' },
        consent: { type: 'string' },
        profile: { type: 'string' },
        patients: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) {
      return { kind: 'help' };
    }
    if (positionals.length > 0 && !values.input) {
      return misuse(`What is "${positionals[0]}"? Files come after --input.`);
    }
    if (values.input && (values.patients ?? values.seed) !== undefined) {
      return misuse('--patients and --seed make sample patients; they do not go with --input.');
    }
    const [count, seed] = [wholeNumber(values.patients ?? '3'), wholeNumber(values.seed ?? '1')];
    if (count === undefined || count === 0 || seed === undefined) {
      return misuse('--patients and --seed must be whole numbers, and at least one patient is needed.');
    }
    const { consent = 'all', profile } = values;
    if (profile !== undefined && !PROFILES.includes(profile)) {
      return misuse(`There is no profile "${profile}"; there are ${PROFILES.join(' and ')}.`);
    }
    return {
      kind: 'run',
      request: {
        // `--input a b c`: the shell expands a pattern to several arguments.
        inputs: [...(values.input ?? []), ...positionals],
        out: values.out ?? 'out/demo',
        consent: consent === 'all' || consent === 'none' ? consent : { file: consent },
        ...(profile !== undefined && { profile }),
        samples: { seed, count },
      },
    };
  } catch (error) {
    // Node adds advice about positional arguments, which are not meant to be given here.
    return misuse((error as Error).message.replace(/\. To specify .*/s, '.'));
  }
}

/**
 * Paths mean what they mean in the user's shell: npm starts scripts in the project's own folder.
 *
 * @param request - What is asked for.
 * @param from - The folder of the shell.
 * @returns The same with absolute paths.
 */
export function fromFolder(request: Request, from: string): Request {
  const { consent } = request;
  return {
    ...request,
    inputs: request.inputs.map((path) => resolve(from, path)),
    out: resolve(from, request.out),
    consent: typeof consent === 'string' ? consent : { file: resolve(from, consent.file) },
  };
}

function misuse(message: string): Command {
  return { kind: 'misuse', message };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
