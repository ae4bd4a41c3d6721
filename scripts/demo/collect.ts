/** Reads everything of a type out of a sandbox server. */
import { parseSearchRequest } from '@medplum/core';
import type { Bundle, Resource, ResourceType } from '@medplum/fhirtypes';
import type { SandboxServer } from '../sandbox/server.ts';

/**
 * @param server - The server.
 * @param resourceType - The type.
 * @returns All resources of the type, oldest first.
 */
export async function allOf<T extends Resource>(server: SandboxServer, resourceType: ResourceType): Promise<T[]> {
  const found: Resource[] = [];
  let next: string | undefined = `${resourceType}?_sort=_lastUpdated&_count=1000`;
  while (next) {
    const page: Bundle = await server.repo.search(parseSearchRequest<Resource>(next));
    found.push(...(page.entry ?? []).flatMap(({ resource }) => resource ?? []));
    next = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found as T[];
}

/**
 * A resource as a client of the server sees it, without Medplum's own bookkeeping.
 *
 * @param resource - As the operator sees it.
 * @returns A copy.
 */
export function asSeen<T extends Resource>(resource: T): T {
  const {
    author: _author,
    project: _project,
    compartment: _compartment,
    account: _account,
    ...meta
  } = resource.meta ?? {};
  return { ...resource, meta };
}
