/** What the caller of an admin action sent, judged by the table of actions. Pure; a problem names parameters, and repeats nothing. */
import type { Actions, AdminAction, Parameter, Parameters } from '../action.ts';

/** What a parameter can be. */
type Value = string | number | boolean | readonly string[] | undefined;

/** A call that may be made. */
export interface Call {
  readonly name: string;
  readonly action: AdminAction;
  readonly values: Readonly<Record<string, Value>>;
}

export type Read =
  | Call
  | { readonly name: string; readonly problems: readonly string[] }
  | { readonly name: undefined; readonly problems?: undefined };

const TOKEN = /^(?:.*\/)?([a-z]{2,4}_[bcdfghjkmpqrtvwx]{32})$/;
const SHAPES: Readonly<Record<string, RegExp>> = {
  code: /^[\w.:-]{1,64}$/,
  reference: /^[A-Z][A-Za-z]{1,40}\/[A-Za-z0-9.-]{1,64}$/,
  id: /^[A-Za-z0-9.-]{1,64}$/,
  date: /^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?)?)?$/,
};
const MAX_TEXT = 500;
const MAX_LIST = 100;
const MAX_INTEGER = 1_000_000;

/**
 * Reads a call.
 *
 * @param actions - All actions.
 * @param input - `{action, …parameters}`, as the caller sent it.
 * @returns The call; the problems of its parameters; or no name, when there is no such action.
 */
export function readCall(actions: Actions, input: unknown): Read {
  const fields = typeof input === 'object' && input !== null ? (input as Readonly<Record<string, unknown>>) : {};
  const { action: asked, ...given } = fields;
  const name = typeof asked === 'string' ? actionNamed(actions, asked) : undefined;
  const action = actions[name ?? ''];
  if (name === undefined || !action) {
    return { name: undefined };
  }
  const { parameters } = action;
  const read = Object.entries(parameters).map(([each, row]) => [each, valueOf(row, given[each])] as const);
  const problems = [
    ...read.flatMap(([each, value]) => (isProblem(value) ? [`${each} ${value.problem}`] : [])),
    ...unknownOf(parameters, given),
  ];
  return problems.length > 0
    ? { name, problems }
    : {
        name,
        action,
        values: Object.fromEntries(read.flatMap(([each, value]) => (isProblem(value) ? [] : [[each, value]]))),
      };
}

/**
 * @param actions - All actions.
 * @param words - A name, also with blanks or hyphens for the slash: `queue stats`, `consent-proof`.
 * @returns The name in the table.
 */
export function actionNamed(actions: Actions, words: string): string | undefined {
  const plain = (text: string): string => text.replaceAll(/[\s/-]+/g, '/');
  return Object.keys(actions).find((name) => plain(name) === plain(words));
}

function unknownOf(parameters: Parameters, given: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(parameters);
  const isKnown = Object.keys(given).every((each) => names.includes(each));
  return isKnown ? [] : [`known parameters: ${names.join(', ') || 'none'}`];
}

interface Problem {
  readonly problem: string;
}

const isProblem = (value: Value | Problem): value is Problem => typeof value === 'object' && 'problem' in value;
const isSound = <T extends Value>(value: T | Problem): value is T => !isProblem(value);

function valueOf(row: Parameter, given: unknown): Value | Problem {
  if (given === undefined || given === null || given === '') {
    return row.isRequired ? { problem: 'is missing' } : undefined;
  }
  switch (row.kind) {
    case 'integer':
      return integerOf(row, given);
    case 'boolean':
      return typeof given === 'boolean' ? given : (BOOLEANS[wordOf(given)] ?? { problem: 'must be true or false' });
    case 'list':
      return listOf({ ...row, kind: 'code' }, given);
    case 'references':
      return listOf({ kind: 'reference' }, given);
    case 'token':
      return (
        TOKEN.exec(wordOf(given))?.[1] ?? {
          problem: 'must be a token such as pt_… (two to four letters, _, 32 letters)',
        }
      );
    case 'patient':
      return patientOf(given);
    default:
      return textOf(row, given);
  }
}

const wordOf = (given: unknown): string => (typeof given === 'string' ? given : '');

const BOOLEANS: Readonly<Record<string, boolean | undefined>> = { true: true, false: false };

function integerOf({ min = 0, max = MAX_INTEGER }: Parameter, given: unknown): Value | Problem {
  const isNumeric = typeof given === 'number' || (typeof given === 'string' && /^\d{1,9}$/.test(given));
  const value = isNumeric ? Number(given) : NaN;
  return Number.isInteger(value) && value >= min && value <= max
    ? value
    : { problem: `must be an integer from ${min} to ${max}` };
}

function listOf(row: Word, given: unknown): Value | Problem {
  const parts = Array.isArray(given) ? (given as unknown[]) : wordOf(given).split(',');
  const values = parts.map((part) => textOf(row, typeof part === 'string' ? part.trim() : part));
  const bad = values.find(isProblem);
  return values.length === 0 || values.length > MAX_LIST || bad
    ? { problem: bad ? `holds one that ${bad.problem}` : `must hold 1 to ${MAX_LIST}` }
    : values.filter(isSound);
}

/** An identifier such as a record number is not accepted: the platform keeps what a bot is called with (`platform.md` §3.9). */
function patientOf(given: unknown): string | Problem {
  const text = wordOf(given);
  const token = TOKEN.exec(text)?.[1];
  const id = /^(?:Patient\/)?([A-Za-z0-9.-]{1,64})$/.exec(text)?.[1];
  return token?.startsWith('pt_') ? token : (id ?? { problem: 'must be Patient/<id>, an id, or a token such as pt_…' });
}

/** One word, or a text. */
interface Word {
  readonly kind: string;
  readonly choices?: readonly string[];
}

function textOf({ kind, choices }: Word, given: unknown): string | Problem {
  if (typeof given !== 'string' || given.length > MAX_TEXT) {
    return { problem: `must be a text of up to ${MAX_TEXT} characters` };
  }
  if (choices) {
    return choices.includes(given) ? given : { problem: `must be one of ${choices.join(', ')}` };
  }
  const isWellFormed = SHAPES[kind]?.test(given) ?? true;
  return isWellFormed
    ? given
    : { problem: kind === 'date' ? 'must be a FHIR date, such as 2026-12-31' : `must be a ${kind}` };
}

/**
 * What of a call may stand in the trail: numbers, switches, tokens, and words of a closed list. Anything else may be a name.
 *
 * @param call - A call.
 * @returns Name → value.
 */
export function safeValues({ action, values }: Call): Readonly<Record<string, string>> {
  const isSafe = ({ kind, choices }: Parameter): boolean =>
    choices !== undefined || ['integer', 'boolean', 'token'].includes(kind);
  return Object.fromEntries(
    Object.entries(action.parameters).flatMap(([name, row]) => {
      const value = values[name];
      return value !== undefined && isSafe(row) ? [[name, String(value)]] : [];
    })
  );
}
