import { getSearchParameterDetails, splitSearchOnComma } from '@medplum/core';
import type { Filter } from '@medplum/core';
import type { Resource, SearchParameter } from '@medplum/fhirtypes';

/**
 * The index of the sandbox: terms that a resource contains. A term only narrows a search; what it finds is checked again by
 * core's matcher. So a term may find too much, but must never miss: `termsForFilter` answers undefined where it could.
 */

/** Data types whose searchable strings are all at one of `TOKEN_KEYS`. */
const TOKEN_TYPES = new Set(['Identifier', 'CodeableConcept', 'Coding', 'ContactPoint']);
const TOKEN_KEYS = new Set(['value', 'code', 'text']);
const SCALAR_TYPES = new Set(['code', 'string', 'boolean', 'uri', 'id']);

/** All terms of a resource: every reference, every token, and the scalars at the top. */
export function termsOf(resource: Resource): Set<string> {
  const terms = new Set<string>();
  for (const [key, value] of Object.entries(resource)) {
    collect(key, value, true, terms);
  }
  return terms;
}

function collect(key: string, value: unknown, top: boolean, terms: Set<string>): void {
  if (typeof value === 'string') {
    if (key === 'reference') {
      terms.add(referenceTerm(value));
    }
    if (top || TOKEN_KEYS.has(key)) {
      terms.add(tokenTerm(value));
    }
  } else if (typeof value === 'boolean') {
    if (top) {
      terms.add(tokenTerm(String(value)));
    }
  } else if (Array.isArray(value)) {
    for (const item of value) {
      collect(key, item, top, terms);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const inner in value) {
      collect(inner, (value as Record<string, unknown>)[inner], false, terms);
    }
  }
}

/**
 * The terms of which a matching resource has at least one.
 * @returns undefined if the index cannot answer this filter.
 */
export function termsForFilter(type: string, param: SearchParameter, filter: Filter): string[] | undefined {
  if (filter.operator !== 'eq' && filter.operator !== 'exact') {
    return undefined;
  }
  const values = splitSearchOnComma(filter.value);
  if (param.type === 'reference') {
    const terms = values.map((value) => referenceTermOf(param, value));
    return terms.every((term) => term !== undefined) ? terms : undefined;
  }
  if (param.type === 'token' && isTokenIndexed(type, param)) {
    const codes = values.map((value) => value.slice(value.indexOf('|') + 1));
    return codes.every((code) => code !== '') ? codes.map(tokenTerm) : undefined;
  }
  return undefined;
}

function referenceTermOf(param: SearchParameter, value: string): string | undefined {
  if (value.includes('/')) {
    return referenceTerm(value);
  }
  const [target, ...others] = param.target ?? [];
  return target && others.length === 0 && value !== '' ? referenceTerm(`${target}/${value}`) : undefined;
}

function referenceTerm(reference: string): string {
  return `r:${reference}`;
}

/** The term of a token; core compares tokens without case. */
export function tokenTerm(value: string): string {
  return `t:${value.toLowerCase()}`;
}

const indexed = new Map<string, boolean>();

function isTokenIndexed(type: string, param: SearchParameter): boolean {
  if (param.code === '_tag' || param.code === '_security') {
    return true;
  }
  const key = `${type}.${param.code}`;
  let answer = indexed.get(key);
  if (answer === undefined) {
    answer = isPlainToken(type, param);
    indexed.set(key, answer);
  }
  return answer;
}

/** True for a path without functions that ends in tokens, or in a scalar at the top of the resource. */
function isPlainToken(type: string, param: SearchParameter): boolean {
  if (/[()]/.test(param.expression ?? '(')) {
    return false;
  }
  const elements = getSearchParameterDetails(type, param).elementDefinitions ?? [];
  return (
    elements.length > 0 &&
    elements.every((element) =>
      element.type.every(
        ({ code }) => TOKEN_TYPES.has(code) || (SCALAR_TYPES.has(code) && element.path.split('.').length === 2)
      )
    )
  );
}
