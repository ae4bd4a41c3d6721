import {
  badRequest,
  convertToSearchableReferences,
  convertToSearchableTokens,
  deriveIdentifierSearchParameter,
  evalFhirPathTyped,
  getSearchParameter,
  matchesSearchRequest,
  OperationOutcomeError,
  parseFhirPath,
  splitSearchOnComma,
  toTypedValue,
} from '@medplum/core';
import type { Filter, TypedValue } from '@medplum/core';
import type { Resource, ResourceType, SearchParameter } from '@medplum/fhirtypes';
import { termsForFilter, tokenTerm } from './terms.ts';
import type { Row } from './table.ts';

/** One filter, ready to run: how to check a row, and how to find candidates without looking at all of them. */
export interface Criterion {
  matches(row: Row, resource: Resource): boolean;
  /** A matching row has one of these terms. */
  readonly terms?: readonly string[];
  /** A matching row has one of these ids. */
  readonly ids?: readonly string[];
  /** A matching row was changed at this time or later. */
  readonly since?: string;
}

/** What core's matcher can decide. It answers no to the others, silently; the sandbox refuses them instead. */
const MATCHED_TYPES = ['reference', 'string', 'uri', 'token', 'date'];

/**
 * Compiles a filter that concerns the resource alone: neither chained nor `_deleted`.
 * @throws OperationOutcomeError 400 for an unknown parameter, as the real server; and for one the sandbox cannot evaluate.
 */
export function compileFilter(type: string, filter: Filter): Criterion {
  switch (filter.code) {
    case '_id': {
      const ids = filter.value.split(',');
      return filter.operator === 'not' || filter.operator === 'ne'
        ? { matches: (row) => !ids.includes(row.id) }
        : { matches: (row) => ids.includes(row.id), ids };
    }
    case '_lastUpdated':
      return compileLastUpdated(filter);
    case '_project':
      return { matches: (_row, resource) => resource.meta?.project === filter.value };
    case '_filter':
      throw refuse('_filter');
    default:
      return compileParameter(type, filter);
  }
}

function compileParameter(type: string, filter: Filter): Criterion {
  const param = getSearchParameter(type, filter.code);
  if (!param) {
    throw new OperationOutcomeError(badRequest(`Unknown search parameter: ${filter.code}`));
  }
  if (filter.operator === 'identifier') {
    return compileIdentifierOf(param, filter);
  }
  if (filter.operator !== 'missing' && !MATCHED_TYPES.includes(param.type)) {
    throw refuse(`${filter.code} (${param.type})`);
  }
  const request = { resourceType: type as ResourceType, filters: [filter] };
  const terms = termsForFilter(type, param, filter);
  const matches =
    compileList(param, filter) ?? ((_row: Row, resource: Resource) => matchesSearchRequest(resource, request));
  return { matches, ...(terms && { terms }) };
}

/** Core reads the value of the filter again for each row: a list of 150 references would be split as often as there are rows. */
function compileList(param: SearchParameter, filter: Filter): Criterion['matches'] | undefined {
  if (filter.operator !== 'eq' || !param.expression) {
    return undefined;
  }
  const path = parseFhirPath(param.expression);
  const valuesOf = (resource: Resource): TypedValue[] => evalFhirPathTyped(path, [toTypedValue(resource)]);
  const values = splitSearchOnComma(filter.value);
  if (param.type === 'reference' && values.every((value) => value.includes('/'))) {
    const wanted = new Set(values);
    return (_row, resource) => convertToSearchableReferences(valuesOf(resource)).some((value) => wanted.has(value));
  }
  // `system|` finds what has the system, whatever the code.
  if (param.type === 'token' && values.every((value) => /^[^|]+\|[^|]*$/.test(value))) {
    const wanted = new Set(values.map((value) => value.toLowerCase()));
    return (_row, resource) =>
      convertToSearchableTokens(valuesOf(resource)).some(({ system = '', value = '' }) =>
        ['', value].some((code) => wanted.has(`${system}|${code}`.toLowerCase()))
      );
  }
  return undefined;
}

/** `subject:identifier=system|value`. Core derives the parameter, but its matcher only knows parameters that are indexed. */
function compileIdentifierOf(param: SearchParameter, filter: Filter): Criterion {
  const expression = deriveIdentifierSearchParameter(param).expression ?? '';
  const wanted = splitSearchOnComma(filter.value).map((value) => {
    const bar = value.indexOf('|');
    return { system: bar < 0 ? undefined : value.slice(0, bar), code: value.slice(bar + 1) };
  });
  return {
    matches: (_row, resource) =>
      convertToSearchableTokens(evalFhirPathTyped(expression, [toTypedValue(resource)])).some((token) =>
        wanted.some(
          ({ system, code }) => token.value === code && (system === undefined || (token.system ?? '') === system)
        )
      ),
    terms: wanted.map(({ code }) => tokenTerm(code)),
  };
}

/** The real server compares the column with the instant that the value begins (`search.ts`, date filter of a timestamp column). */
function compileLastUpdated(filter: Filter): Criterion {
  const ms = Date.parse(filter.value);
  if (Number.isNaN(ms)) {
    throw new OperationOutcomeError(badRequest(`Invalid format for date search parameter: ${filter.value}`));
  }
  const instant = new Date(ms).toISOString();
  const by = (test: (lastUpdated: string) => boolean): Criterion['matches'] => {
    return (row) => test(row.current.lastUpdated);
  };
  switch (filter.operator) {
    case 'gt':
    case 'sa':
      return { matches: by((at) => at > instant), since: instant };
    case 'ge':
      return { matches: by((at) => at >= instant), since: instant };
    case 'lt':
    case 'eb':
      return { matches: by((at) => at < instant) };
    case 'le':
      return { matches: by((at) => at <= instant) };
    case 'ne':
      return { matches: by((at) => at !== instant) };
    default:
      return { matches: by((at) => at === instant), since: instant };
  }
}

function refuse(what: string): OperationOutcomeError {
  return new OperationOutcomeError(badRequest(`The sandbox cannot search by ${what}`));
}
