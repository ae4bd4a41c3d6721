/** Asks source, replica and audit trail what became of each record, and keeps what the last two say. */
import type { AuditEvent, Resource, ResourceType } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { allOf, asSeen } from './collect.ts';
import { fates } from './fate.ts';
import type { Origin } from './fate.ts';
import type { Output } from './files.ts';
import type { Prepared } from './prepare.ts';

/**
 * @param sandbox - The servers, when the bots are done.
 * @param prepared - What was loaded.
 * @param output - Gets the replica's content and the source's AuditEvents.
 * @returns Counts by type, and what is wrong.
 */
export async function judge(
  { source, replica }: Sandbox,
  prepared: Prepared,
  output: Output
): Promise<ReturnType<typeof fates>> {
  const entries = new Map(
    prepared.records.map(({ resource: { resourceType, id }, input, index }) => [
      `${resourceType}/${id}`,
      { input, index },
    ])
  );
  const types = new Set<ResourceType>(['Consent', ...prepared.records.map(({ resource }) => resource.resourceType)]);
  const records: Origin[] = [];
  for (const type of types) {
    for (const resource of await allOf(source, type)) {
      const entry = entries.get(`${type}/${resource.id}`);
      // The bots have resources of their own in the source; only Consents of ours are records as well.
      if (entry ?? type === 'Consent') {
        records.push({ resource, ...entry });
      }
    }
  }
  const copies: Resource[] = [];
  for (const type of REPLICATED_TYPES) {
    const found = (await allOf(replica, type)).map(asSeen);
    const lines = output.lines(`replica/${type}.ndjson`);
    found.forEach((copy) => lines.write(copy));
    await lines.close();
    copies.push(...found);
  }
  const trail = await allOf<AuditEvent>(source, 'AuditEvent');
  const lines = output.lines('source-audit.ndjson');
  trail.forEach((event) => lines.write(asSeen(event)));
  await lines.close();
  return fates(records, copies, trail);
}
