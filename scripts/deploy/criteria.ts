/** Search criteria of Subscriptions and AccessPolicies. Medplum accepts wrong ones with 201 and then never fires (`platform.md` §2.6). */
import { getSearchParameter, isResourceType, parseSearchRequest } from '@medplum/core';
import { loadDefinitions } from '../sandbox/definitions.ts';

/**
 * Says what is wrong with criteria.
 *
 * @param criteria - Such as `Encounter?status=finished`.
 * @returns The problem, or undefined.
 */
export function problemOfCriteria(criteria: string): string | undefined {
  loadDefinitions();
  const type = typeOf(criteria);
  if (!isResourceType(type)) {
    return 'names no FHIR type';
  }
  const query = new URLSearchParams(criteria.slice(type.length + 1));
  for (const name of query.keys()) {
    const [code = ''] = name.split(':');
    if (code.startsWith('_') && !['_id', '_tag', '_security', '_source', '_profile', '_compartment'].includes(code)) {
      return `cannot be watched by ${code}`;
    }
    if (code.includes('.')) {
      return `cannot be watched through a chain (${code})`;
    }
    if (code !== '_compartment' && !getSearchParameter(type, code)) {
      return `uses ${code}, which ${type} has no search parameter for`;
    }
    if (query.get(name) === '') {
      return `gives no value for ${code}`;
    }
  }
  try {
    parseSearchRequest(criteria);
    return undefined;
  } catch {
    return 'is not a search';
  }
}

/**
 * The type that criteria are about.
 *
 * @param criteria - The criteria.
 * @returns What stands before the question mark.
 */
export function typeOf(criteria: string): string {
  return criteria.split('?', 1)[0] ?? '';
}
