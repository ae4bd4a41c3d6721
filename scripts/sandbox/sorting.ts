import {
  badRequest,
  convertToSearchableDates,
  convertToSearchableNumbers,
  convertToSearchableReferences,
  convertToSearchableStrings,
  convertToSearchableTokens,
  evalFhirPathTyped,
  getSearchParameter,
  OperationOutcomeError,
  toTypedValue,
} from '@medplum/core';
import type { SortRule } from '@medplum/core';
import type { Resource, SearchParameter } from '@medplum/fhirtypes';
import type { Row } from './table.ts';

type Key = string | number | undefined;

/**
 * A comparator for rows in the order of the rules; rows that tie keep the order of their last change.
 * @throws OperationOutcomeError 400 for a rule that names no search parameter.
 */
export function rowOrder(type: string, rules: readonly SortRule[]): (a: Row, b: Row) => number {
  const keys = rules.map((rule) => ({ key: memo(keyOf(type, rule.code)), sign: rule.descending ? -1 : 1 }));
  return (a, b) => {
    for (const { key, sign } of keys) {
      const order = compare(key(a), key(b)) * sign;
      if (order !== 0) {
        return order;
      }
    }
    return compare(a.current.lastUpdated, b.current.lastUpdated) || a.position - b.position;
  };
}

function keyOf(type: string, code: string): (row: Row) => Key {
  if (code === '_lastUpdated') {
    return (row) => row.current.lastUpdated;
  }
  if (code === '_id') {
    return (row) => row.id;
  }
  const param = getSearchParameter(type, code);
  if (!param) {
    throw new OperationOutcomeError(badRequest(`Unknown search parameter: ${code}`));
  }
  return (row) => row.current.resource && firstValue(param, row.current.resource);
}

function firstValue(param: SearchParameter, resource: Resource): Key {
  const values = evalFhirPathTyped(param.expression ?? '', [toTypedValue(resource)]);
  switch (param.type) {
    case 'date':
      return convertToSearchableDates(values)[0]?.start;
    case 'number':
    case 'quantity':
      return convertToSearchableNumbers(values)[0]?.[0];
    case 'reference':
      return convertToSearchableReferences(values)[0];
    case 'token':
      return convertToSearchableTokens(values)[0]?.value;
    default:
      return convertToSearchableStrings(values)[0];
  }
}

/** Ascending, with absent values last: PostgreSQL's default, which puts them first in descending order. */
function compare(a: Key, b: Key): number {
  if (a === b) {
    return 0;
  }
  if (a === undefined || b === undefined) {
    return a === undefined ? 1 : -1;
  }
  return a < b ? -1 : 1;
}

function memo(key: (row: Row) => Key): (row: Row) => Key {
  const known = new Map<Row, Key>();
  return (row) => {
    if (!known.has(row)) {
      known.set(row, key(row));
    }
    return known.get(row);
  };
}
