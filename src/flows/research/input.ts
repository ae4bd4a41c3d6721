/** What the caller of `research-export` asks for: an allow-list. Pure; a problem names parameters, and repeats nothing of the values. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { ReplicatedType } from '../../config/policy.ts';
import { isShaped, parametersOf } from '../parameters.ts';

/** Whom to export: the patients of what a search on the replica finds. */
export interface Cohort {
  readonly type: ReplicatedType;
  readonly query: readonly (readonly [name: string, value: string])[];
}

export type ResearchAsk =
  | {
      readonly action: 'start';
      readonly cohort: Cohort;
      readonly types: readonly ReplicatedType[];
      readonly k: number | undefined;
    }
  | { readonly action: 'status' | 'cancel'; readonly id: string }
  | { readonly action: 'file'; readonly id: string; readonly file: number }
  | { readonly action: 'list' };

const KNOWN = ['action', 'cohort', 'types', 'k', 'id', 'file', 'identifier'];
const ACTIONS = ['start', 'status', 'cancel', 'file', 'list'];
const MAX_K = 1000;

/**
 * Reads an ask.
 *
 * @param input - `{action: 'start', cohort: 'Condition?code=…', types, k}`, `{action: 'status' | 'cancel', id}`, `{action: 'file', id, file}`, `{action: 'list'}`.
 * @returns The ask, or what is wrong with it.
 */
export function readResearch(input: unknown): ResearchAsk | { readonly problems: readonly string[] } {
  const fields = (typeof input === 'object' && input !== null ? input : {}) as Readonly<Record<string, unknown>>;
  const { action, id, file } = fields;
  const problems = Object.keys(fields).every((name) => KNOWN.includes(name))
    ? []
    : [`known parameters: ${KNOWN.join(', ')}`];
  switch (action) {
    case 'list':
      return problems.length > 0 ? { problems } : { action };
    case 'start':
      return readStart(fields, problems);
    case 'status':
    case 'cancel':
    case 'file': {
      const number = Number(file);
      const isId = typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id);
      problems.push(...(isId ? [] : ['id must be that of an export']));
      if (action === 'file' && !(file !== undefined && Number.isInteger(number) && number >= 0)) {
        problems.push('file must be an integer from 0');
      }
      if (!isId || problems.length > 0) {
        return { problems };
      }
      return action === 'file' ? { action, id, file: number } : { action, id };
    }
    default:
      return { problems: [...problems, `action must be of ${ACTIONS.join(', ')}`] };
  }
}

function readStart(
  { cohort, types, k }: Readonly<Record<string, unknown>>,
  before: readonly string[]
): ResearchAsk | { readonly problems: readonly string[] } {
  const problems = [...before];
  const found = typeof cohort === 'string' ? cohortOf(cohort) : undefined;
  if (!found || 'problem' in found) {
    problems.push(found?.problem ?? 'cohort must be a search such as Condition?code=http://snomed.info/sct|44054006');
  }
  const names = types === undefined ? REPLICATED_TYPES : typeof types === 'string' ? types.split(',') : types;
  const wanted = Array.isArray(names) ? REPLICATED_TYPES.filter((type) => names.includes(type)) : [];
  if (!Array.isArray(names) || wanted.length === 0 || wanted.length < new Set(names).size) {
    problems.push(`types must be of ${REPLICATED_TYPES.join(', ')}`);
  }
  const number = k === undefined ? undefined : Number(k);
  if (number !== undefined && !(Number.isInteger(number) && number >= 2 && number <= MAX_K)) {
    problems.push(`k must be an integer from 2 to ${MAX_K}`);
  }
  return problems.length > 0 || !found || 'problem' in found
    ? { problems }
    : { action: 'start', cohort: found, types: wanted, k: number };
}

function cohortOf(text: string): Cohort | { readonly problem: string } {
  const [name = '', search = '', ...more] = text.split('?');
  const type = REPLICATED_TYPES.find((one) => one === name);
  if (!type || more.length > 0 || text.length > 2000) {
    return { problem: `cohort must be <Type>?…, Type of ${REPLICATED_TYPES.join(', ')}` };
  }
  const known = parametersOf(type);
  const names = [...known].flatMap(([one, kind]) => (kind === 'id' || kind === 'encounter' ? [] : [one]));
  const problem = `cohort parameters of ${type}: ${names.join(', ')}`;
  const query: (readonly [string, string])[] = [];
  for (const part of search === '' ? [] : search.split('&')) {
    const at = part.indexOf('=');
    const [key, value] = [part.slice(0, Math.max(0, at)), decoded(part.slice(at + 1))];
    const kind = names.includes(key) ? known.get(key) : undefined;
    // By id or Encounter one would choose persons, not a cohort.
    if (!kind || value === undefined || !isShaped(kind, value)) {
      return { problem };
    }
    query.push([key, value]);
  }
  return { type, query };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
