/** The trail of reconciliation: what a run came to, and copies that it removed since they were nobody's. Counts, codes and tokens only. */
import type { AuditEvent, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { agentsOf, correlationOf, observerOf } from './access-trail.ts';
import { detail, OBJECT_ROLE, OBJECT_TYPE } from './trail.ts';

/** One event. */
export interface ReconciliationEvent {
  /** The run that it is part of, whatever run of the bot. */
  readonly runId: string;
  readonly bot: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** JSON of counts and codes, when the run is complete. */
  readonly result?: string;
  /** Whether something could not be done. */
  readonly hasErrors: boolean;
  /** Copies that were removed. */
  readonly removed: readonly { readonly resourceType: string; readonly token: string }[];
}

/**
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns A FHIR_RECONCILIATION AuditEvent.
 */
export function reconciliationEventOf(event: ReconciliationEvent, systems: Systems): AuditEvent {
  const { runId, bot, startedAt, endedAt, result, hasErrors, removed } = event;
  const at = (ms: number): string => new Date(ms).toISOString();
  return {
    resourceType: 'AuditEvent',
    type: { system: systems.auditType, code: 'FHIR_RECONCILIATION' },
    subtype: [{ system: systems.auditDetail, code: result === undefined ? 'orphans-removed' : 'run-complete' }],
    action: removed.length > 0 ? 'D' : 'E',
    period: { start: at(startedAt), end: at(endedAt) },
    recorded: at(endedAt),
    outcome: hasErrors ? '4' : '0',
    outcomeDesc: hasErrors ? 'with-errors' : 'done',
    agent: agentsOf({ bot, requester: bot, role: undefined }, systems),
    source: observerOf(bot),
    entity: [
      correlationOf(runId, result === undefined ? {} : { result }, systems),
      ...removed.map(({ resourceType, token }) => ({
        what: {
          identifier: {
            system: resourceType === 'Patient' ? systems.patientToken : systems.resourceToken,
            value: token,
          },
          type: resourceType as Resource['resourceType'],
        },
        type: { system: OBJECT_TYPE, code: '2', display: 'System Object' },
        role: { system: OBJECT_ROLE, code: '4', display: 'Domain Resource' },
        detail: [detail('action', 'withdraw'), detail('reason', 'orphaned')],
      })),
    ],
  };
}
