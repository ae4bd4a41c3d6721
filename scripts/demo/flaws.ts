/** What is wrong with the content of the replica as such. Pure. */
import type { Identifier, Resource } from '@medplum/fhirtypes';
import type { Problem } from './report.ts';

/**
 * @param copies - All resources of the replica.
 * @param accounted - The tokens of the records that are said to have a copy.
 * @returns Copies that nobody accounts for, second copies, and references that lead nowhere.
 */
export function flawsOf(copies: readonly Resource[], accounted: ReadonlySet<string>): Problem[] {
  const addresses = new Set(copies.map(({ resourceType, id }) => `${resourceType}/${id}`));
  const seen = new Set<string>();
  return copies.flatMap((copy): Problem[] => {
    const problem = (message: string): Problem => ({ kind: 'replica', type: copy.resourceType, message });
    const tokens = tokensOf(copy);
    const isSecond = tokens.some((token) => seen.has(token));
    tokens.forEach((token) => seen.add(token));
    return [
      ...(tokens.some((token) => accounted.has(token))
        ? []
        : [problem('is in the replica without a record that accounts for it')]),
      ...(isSecond ? [problem('is in the replica more than once')] : []),
      ...(referencesOf(copy).every((reference) => addresses.has(reference))
        ? []
        : [problem('refers to something that the replica does not hold')]),
    ];
  });
}

/**
 * @param copy - A resource of the replica.
 * @returns The tokens that it is known by.
 */
export function tokensOf(copy: Resource): string[] {
  return [(copy as { identifier?: Identifier | Identifier[] }).identifier ?? []]
    .flat()
    .flatMap(({ value }) => value ?? []);
}

/**
 * @param value - A resource, or a part of one.
 * @returns Its literal references, at any depth.
 */
export function referencesOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, child]: [string, unknown]) =>
    key === 'reference' && typeof child === 'string' ? [child] : referencesOf(child)
  );
}
