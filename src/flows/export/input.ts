/** What the caller of `export` asks for. Pure; a problem names a parameter, and repeats nothing of it. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { ReplicatedType } from '../../config/policy.ts';
import { rangeOf } from './dates.ts';
import type { Range } from './dates.ts';

/** One ask. */
export interface ExportAsk {
  /** The id of a source Patient, or the token of one. */
  readonly patient: { readonly id: string } | { readonly token: string };
  /** Of care, not of record-keeping; all when there is neither bound. */
  readonly range: Range;
  readonly types: readonly ReplicatedType[];
  /** How many entries the answer may have, and how many come before them. */
  readonly count: number;
  readonly offset: number;
  /** Start, end and types as they were given, for the link to the next page. */
  readonly echo: Readonly<Record<string, string>>;
}

const TOKEN = /^(?:Patient\/)?(pt_[bcdfghjkmpqrtvwx]{32})$/;
const ID = /^(?:Patient\/)?([A-Za-z0-9.-]{1,64})$/;
export const MAX_COUNT = 1000;
const NAMES = ['patient', 'start', 'end', 'type', '_type', '_count', '_offset'];

/**
 * Reads an ask: `{patient, start, end, type, _count, _offset}`, or the same as FHIR Parameters, as an operation gets them. `type` (or `_type`, the
 * name of R4's `$everything`) is one type, several with commas between them, or a list.
 *
 * @param input - What the caller sent.
 * @returns The ask, or what is missing or wrong.
 */
export function readExport(input: unknown): ExportAsk | { readonly problems: readonly string[] } {
  const fields = fieldsOf(input);
  const patient = patientOf(fields.get('patient'));
  const start = textOf(fields.get('start'));
  const end = textOf(fields.get('end'));
  const range = rangeOf(start, end);
  const types = listOf(fields.get('type') ?? fields.get('_type'));
  const count = integerOf(fields.get('_count'), MAX_COUNT);
  const offset = integerOf(fields.get('_offset'), 0);
  const unknown = [...fields.keys()].filter((name) => !NAMES.includes(name));
  const problems = [
    ...(patient ? [] : ['patient must be Patient/<id>, an id, or a token pt_…']),
    ...(range ? [] : ['start and end must be FHIR dates, start not after end']),
    ...(types ? [] : [`type must be of ${REPLICATED_TYPES.join(', ')}`]),
    ...(count !== undefined && count >= 1 && count <= MAX_COUNT ? [] : [`_count must be from 1 to ${MAX_COUNT}`]),
    ...(offset !== undefined ? [] : ['_offset must be an integer from 0']),
    ...(unknown.length > 0 ? [`known parameters: ${NAMES.join(', ')}`] : []),
  ];
  if (problems.length > 0 || !patient || !range || !types || count === undefined || offset === undefined) {
    return { problems };
  }
  const echo = {
    ...(start && { start }),
    ...(end && { end }),
    ...(types.length < REPLICATED_TYPES.length && { type: types.join(',') }),
  };
  return { patient, range, types, count, offset, echo };
}

/** Parameters are a list of name and value[x]; the plain object of `$execute` is one already. A name given twice counts as a list. */
function fieldsOf(input: unknown): Map<string, unknown> {
  if (typeof input !== 'object' || input === null) {
    return new Map();
  }
  const { resourceType, parameter, id } = input as { readonly [name in 'resourceType' | 'parameter' | 'id']?: unknown };
  // Newer servers hand the resource to an operation on one Patient, instead of the body (Medplum #8477).
  if (resourceType === 'Patient') {
    return new Map([['patient', id]]);
  }
  if (resourceType !== 'Parameters') {
    return new Map(Object.entries(input).filter(([, value]) => value !== undefined && value !== null));
  }
  const fields = new Map<string, unknown>();
  for (const one of Array.isArray(parameter) ? (parameter as unknown[]) : []) {
    const { name, ...value } = (one ?? {}) as Readonly<Record<string, unknown>>;
    const given = Object.entries(value).find(([key]) => key.startsWith('value'))?.[1];
    const key = String(name);
    fields.set(key, fields.has(key) ? [fields.get(key), given].flat() : given);
  }
  return fields;
}

function patientOf(given: unknown): ExportAsk['patient'] | undefined {
  const reference = (given as { readonly reference?: unknown } | undefined)?.reference;
  const text = textOf(typeof given === 'object' ? reference : given) ?? '';
  const token = TOKEN.exec(text)?.[1];
  const id = ID.exec(text)?.[1];
  return token ? { token } : id ? { id } : undefined;
}

function listOf(given: unknown): readonly ReplicatedType[] | undefined {
  if (given === undefined || given === '') {
    return REPLICATED_TYPES;
  }
  const parts = (Array.isArray(given) ? (given as unknown[]) : [given]).flatMap((part) =>
    typeof part === 'string' ? part.split(',') : ['']
  );
  const wanted = parts.map((part) => part.trim());
  return wanted.every((one) => (REPLICATED_TYPES as readonly string[]).includes(one))
    ? REPLICATED_TYPES.filter((type) => wanted.includes(type))
    : undefined;
}

function integerOf(given: unknown, fallback: number): number | undefined {
  if (given === undefined || given === '') {
    return fallback;
  }
  const text = typeof given === 'number' ? String(given) : textOf(given);
  return text !== undefined && /^\d{1,7}$/.test(text) ? Number(text) : undefined;
}

const textOf = (given: unknown): string | undefined => (typeof given === 'string' && given !== '' ? given : undefined);
