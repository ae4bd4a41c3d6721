/** What the bots leave in the source and `undeploy` keeps: jobs, control records, the trail. */
import type { Systems } from '../../src/fhir/systems.ts';
import type { Server } from './server.ts';

/** One resource that a purge would delete. */
export interface Remnant {
  readonly path: string;
  readonly what: string;
}

/**
 * Finds what a purge would delete: only what carries a code of ours.
 *
 * @param server - The server.
 * @param systems - Our systems.
 * @returns The resources.
 */
export async function purgeable(server: Server, systems: Systems): Promise<Remnant[]> {
  const searches = [
    { what: 'Tasks', type: 'Task', query: `code=${encodeURIComponent(`${systems.control}|`)}` },
    { what: 'control records', type: 'Basic', query: `code=${encodeURIComponent(`${systems.control}|`)}` },
    {
      what: 'AuditEvents of the trail',
      type: 'AuditEvent',
      query: `type=${encodeURIComponent(`${systems.auditType}|`)}`,
    },
  ];
  const remnants: Remnant[] = [];
  for (const { what, type, query } of searches) {
    const rows = await server.search(`${type}?${query}&_fields=id`);
    remnants.push(...rows.map(({ id }) => ({ path: `${type}/${id}`, what })));
  }
  return remnants;
}
