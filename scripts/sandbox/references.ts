import { badRequest, createReference, OperationOutcomeError, parseSearchRequest } from '@medplum/core';
import type { SearchRequest, WithId } from '@medplum/core';
import type { Reference, Resource } from '@medplum/fhirtypes';

/** Finds at most two resources for a conditional reference. */
export type FindTwo = (request: SearchRequest) => Promise<WithId<Resource>[]>;

/**
 * Replaces each `Type?query` reference of a resource by the one resource that it finds, in place.
 * @throws OperationOutcomeError 400 if a query finds none or several (platform.md, "established earlier").
 */
export async function resolveConditionalReferences(resource: Resource, find: FindTwo): Promise<void> {
  const conditional: { holder: Record<string, unknown>; key: string; query: string; path: string }[] = [];
  visit(resource as unknown as Record<string, unknown>, resource.resourceType, (holder, key, query, path) =>
    conditional.push({ holder, key, query, path })
  );
  for (const { holder, key, query, path } of conditional) {
    holder[key] = await resolve(query, path, find);
  }
}

async function resolve(query: string, path: string, find: FindTwo): Promise<Reference> {
  const [match, ...others] = await find({ ...parseSearchRequest(query), count: 2 });
  if (!match || others.length > 0) {
    const problem = match ? 'matched multiple' : 'did not match any';
    throw new OperationOutcomeError(badRequest(`Conditional reference '${query}' ${problem} resources`, path));
  }
  return createReference(match);
}

type Visitor = (holder: Record<string, unknown>, key: string, query: string, path: string) => void;

function visit(holder: Record<string, unknown>, path: string, found: Visitor): void {
  for (const [key, value] of Object.entries(holder)) {
    if (typeof value !== 'object' || value === null) {
      continue;
    }
    const at = Array.isArray(holder) ? `${path}[${key}]` : `${path}.${key}`;
    const reference = (value as Reference).reference;
    if (typeof reference === 'string' && reference.includes('?')) {
      found(holder, key, reference, at);
    } else {
      visit(value as Record<string, unknown>, at, found);
    }
  }
}
