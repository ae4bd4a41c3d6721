import {
  badRequest,
  convertToSearchableReferences,
  evalFhirPathTyped,
  getSearchParameter,
  OperationOutcomeError,
  parseSearchRequest,
  toTypedValue,
} from '@medplum/core';
import type { Filter, SearchRequest } from '@medplum/core';
import type { Resource, ResourceType, SearchParameter } from '@medplum/fhirtypes';
import { compileFilter } from './criteria.ts';
import type { Criterion } from './criteria.ts';

/** Finds all resources for a part of a chain. */
export type Find = (request: SearchRequest) => Resource[];

/**
 * Compiles a chained filter by running the end of the chain first: `subject:Patient.identifier=x` becomes
 * `subject=Patient/1,Patient/2`, and `_has:Observation:subject:code=x` becomes `_id=1,2`.
 * @throws OperationOutcomeError 400 if the chain does not name parameters and types that exist.
 */
export function compileChain(type: string, filter: Filter, find: Find): Criterion {
  return filter.code.startsWith('_has:') ? compileHas(filter, find) : compileForward(type, filter, find);
}

function compileForward(type: string, filter: Filter, find: Find): Criterion {
  const dot = filter.code.indexOf('.');
  const [code = '', given] = filter.code.slice(0, dot).split(':');
  const param = parameter(type, code);
  const target = given ?? (param.target?.length === 1 ? param.target[0] : undefined);
  if (!target) {
    throw new OperationOutcomeError(
      badRequest(`Unable to identify next resource type for search parameter: ${type}?${code}`)
    );
  }
  const found = find(parseSearchRequest(target as ResourceType, { [filter.code.slice(dot + 1)]: filter.value }));
  if (found.length === 0) {
    return { matches: () => false, ids: [] };
  }
  const references = found.map((resource) => `${resource.resourceType}/${resource.id}`);
  return compileFilter(type, { code, operator: 'eq', value: references.join(',') });
}

function compileHas(filter: Filter, find: Find): Criterion {
  const [, source = '', code = '', ...rest] = filter.code.split(':');
  const param = parameter(source, code);
  const found = find(parseSearchRequest(source as ResourceType, { [rest.join(':')]: filter.value }));
  const ids = new Set(found.flatMap((resource) => referencesOf(param, resource)));
  return { matches: (row) => ids.has(row.id), ids: [...ids] };
}

function referencesOf(param: SearchParameter, resource: Resource): string[] {
  const values = evalFhirPathTyped(param.expression ?? '', [toTypedValue(resource)]);
  return convertToSearchableReferences(values).map((reference) => reference.split('/').at(-1) ?? '');
}

function parameter(type: string, code: string): SearchParameter {
  const param = getSearchParameter(type, code);
  if (!param) {
    throw new OperationOutcomeError(badRequest(`Invalid search parameter in chain: ${type}?${code}`));
  }
  return param;
}
