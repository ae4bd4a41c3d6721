/** The command line of `npm run admin`, read by the table of actions. Pure. */
import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import type { Actions, AdminAction } from '../../src/flows/action.ts';
import { helpOf } from '../../src/flows/admin/help.ts';
import { actionNamed } from '../../src/flows/admin/input.ts';
import { table } from './render.ts';

/** What is to be asked. */
export interface Command {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly isJson: boolean;
  /** The file that the answer goes to. */
  readonly out: string | undefined;
}

/** What is said instead. */
export interface Usage {
  readonly usage: string;
  readonly isError: boolean;
}

/** No action has more words than this in its name. */
const MAX_WORDS = 4;

const OWN = {
  json: { type: 'boolean' },
  out: { type: 'string' },
  param: { type: 'string', multiple: true },
  help: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

/**
 * Reads a command line: the words of an action, its parameters in their order or as `--name value`, `--json`, `--out FILE`.
 *
 * @param actions - All actions.
 * @param args - The arguments.
 * @returns The command, or a usage. The bot judges the values.
 */
export function readCommand(actions: Actions, args: readonly string[]): Command | Usage {
  const first = args.findIndex((each) => each.startsWith('-'));
  const words = args.slice(0, first < 0 ? args.length : first);
  const counts = Array.from({ length: Math.min(words.length, MAX_WORDS) }, (_, i) => i + 1).reverse();
  const count = counts.find((n) => actionNamed(actions, words.slice(0, n).join(' ')) !== undefined) ?? 0;
  const name = actionNamed(actions, words.slice(0, count).join(' '));
  const action = actions[name ?? ''];
  if (name === undefined || !action) {
    const isError = words.length > 0 || !args.includes('--help');
    const problem = words.length > 0 ? `There is no action "${words.join(' ')}".\n\n` : '';
    return { usage: `${problem}${usageOf(actions)}`, isError };
  }
  try {
    return readParameters(name, action, args.slice(count));
  } catch (error) {
    return { usage: `${(error as Error).message}\n\n${usageOfAction(name, action)}`, isError: true };
  }
}

function readParameters(name: string, action: AdminAction, args: readonly string[]): Command | Usage {
  const rows = Object.entries(action.parameters);
  const options = Object.fromEntries(
    rows.map(([each, { kind }]) => [kebab(each), { type: kind === 'boolean' ? 'boolean' : 'string' } as const])
  );
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...options, ...OWN },
    allowPositionals: true,
  });
  if (values.help) {
    return { usage: usageOfAction(name, action), isError: false };
  }
  const given = values as Readonly<Record<string, unknown>>;
  const named = rows.flatMap(([each]) =>
    given[kebab(each)] === undefined ? [] : [[each, given[kebab(each)]] as const]
  );
  const input: Record<string, unknown> = { ...Object.fromEntries(named), ...paramsOf(values.param ?? []) };
  const open = rows.filter(([each, { kind }]) => kind !== 'boolean' && !(each in input)).map(([each]) => each);
  if (positionals.length > open.length) {
    throw new Error(`too much: ${positionals.slice(open.length).join(' ')}`);
  }
  positionals.forEach((value, i) => (input[open[i] ?? ''] = value));
  return { name, input, isJson: values.json ?? false, out: values.out };
}

/** `--param name=value`, for whoever writes scripts. */
function paramsOf(params: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    params.map((each) => {
      const [, name, value] = /^(\w+)=(.*)$/s.exec(each) ?? [];
      if (name === undefined || value === undefined) {
        throw new Error('--param is written --param name=value');
      }
      return [name, value];
    })
  );
}

const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * @param actions - All actions.
 * @returns What there is.
 */
export function usageOf(actions: Actions): string {
  const rows = helpOf(actions).map(({ action, parameters, effect, why }) => ({
    action: `${action.replaceAll('/', ' ')} ${parameters}`.trim(),
    '': effect === 'change' ? '*' : '',
    what: why,
  }));
  return [
    'npm run admin -- ACTION [PARAMETERS] [--json] [--out FILE]',
    '',
    ...table(rows).slice(1),
    '',
    '* changes something; [ ] may be left out. Parameters are written in their order or as --name value; ACTION --help tells of them.',
    '--out FILE writes the answer to a file. Exit codes: 0 done; 1 refused, failed, or something is left to do; 2 not understood.',
    'Reads MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID and MEDPLUM_CLIENT_SECRET of the source; the client has to be listed in ADMIN_CLIENTS.',
  ].join('\n');
}

function usageOfAction(name: string, { why, parameters }: AdminAction): string {
  const rows = Object.entries(parameters).map(([each, { kind, why: what, isRequired, choices }]) => ({
    option: `--${kebab(each)}`,
    kind: isRequired ? kind : `[${kind}]`,
    what: choices ? `${what} (${choices.join(', ')})` : what,
  }));
  return [`${name.replaceAll('/', ' ')}: ${why}`, ...(rows.length > 0 ? ['', ...table(rows).slice(1)] : [])].join('\n');
}
