import {
  badRequest,
  deriveIdentifierSearchParameter,
  getSearchParameter,
  globalSchema,
  matchesSearchRequest,
  OperationOutcomeError,
} from '@medplum/core';
import type { Filter } from '@medplum/core';
import type { Resource, ResourceType } from '@medplum/fhirtypes';
import { termsForFilter } from './terms.ts';
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
    return compileIdentifierOf(type, filter);
  }
  if (filter.operator !== 'missing' && !MATCHED_TYPES.includes(param.type)) {
    throw refuse(`${filter.code} (${param.type})`);
  }
  const request = { resourceType: type as ResourceType, filters: [filter] };
  const terms = termsForFilter(type, param, filter);
  return { matches: (_row, resource) => matchesSearchRequest(resource, request), ...(terms && { terms }) };
}

/** `subject:identifier=system|value`: core derives a token parameter for it, but its matcher only sees indexed parameters. */
function compileIdentifierOf(type: string, filter: Filter): Criterion {
  const param = getSearchParameter(type, filter.code);
  const derived = param && deriveIdentifierSearchParameter(param);
  const params = globalSchema.types[type]?.searchParams;
  if (!derived || !params) {
    throw refuse(filter.code);
  }
  params[derived.code] ??= derived;
  const request = {
    resourceType: type as ResourceType,
    filters: [{ ...filter, code: derived.code, operator: 'eq' as const }],
  };
  const codes = filter.value.split(',').map((value) => value.slice(value.indexOf('|') + 1));
  const terms = codes.every((code) => code !== '') ? codes.map((code) => `t:${code.toLowerCase()}`) : undefined;
  return { matches: (_row, resource) => matchesSearchRequest(resource, request), ...(terms && { terms }) };
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
