/** The AuditEvents of the replica, page by page. */
import type { AuditEvent, Bundle } from '@medplum/fhirtypes';
import type { Config } from '../config/load.ts';
import { Fault, faultOf } from '../observability/fault.ts';
import type { ReplicaTrail } from '../ports.ts';
import { replicaRequests } from './requests.io.ts';
import type { Parts } from './requests.io.ts';

/** Medplum gives no more at once. */
export const TRAIL_PAGE = 1000;

/**
 * Pages are asked for by instant and id rather than by the server's cursor: that one names in its URL every id of a shared
 * millisecond, and fails when a page holds nothing but one millisecond (`platform.md` §5.7).
 *
 * @param config - The validated settings.
 * @param parts - Clock, chance, the run's deadline, the access token.
 * @returns The trail.
 */
export function replicaTrail(config: Config, parts: Parts): ReplicaTrail {
  const requests = replicaRequests(config, config.replica, parts);
  return {
    async page(since, offset): Promise<readonly AuditEvent[]> {
      const from = since ? `&_lastUpdated=ge${since}` : '';
      const skip = offset > 0 ? `&_offset=${offset}` : '';
      const { outcome, content } = await requests.send(
        'GET',
        `AuditEvent?_sort=_lastUpdated,_id&_count=${TRAIL_PAGE}${from}${skip}`
      );
      if (outcome.kind !== 'done') {
        throw faultOf(outcome);
      }
      const page = content as Bundle | undefined;
      if (page?.resourceType !== 'Bundle') {
        throw new Fault('replica-rejected', ['the trail is not a Bundle']);
      }
      return (page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'AuditEvent' ? [resource] : []));
    },
  };
}
