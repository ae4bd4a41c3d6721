/** The trail of administration: who asked for what, in which role, about whom, and what came of it. No content, no words of theirs. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { agentsOf, correlationOf, observerOf, SEVERITY, whoseEntity } from './access-trail.ts';

/** One step of a call. */
export interface AdminEvent {
  /** An action of ours; undefined when the caller named none. */
  readonly action: string | undefined;
  readonly effect: 'read' | 'change';
  /** `begun` is written before a change is made. */
  readonly result: 'begun' | 'done' | 'refused' | 'failed';
  /** Why, when it was refused or has failed: a code of ours. */
  readonly reason?: string | undefined;
  readonly correlationId: string;
  readonly bot: string;
  readonly requester: string | undefined;
  readonly role: string | undefined;
  readonly at: number;
  readonly patientId?: string | undefined;
  readonly token?: string | undefined;
  /** Parameters whose values are codes, counts or tokens. */
  readonly values?: Readonly<Record<string, string>>;
}

const OUTCOMES = { begun: '0', done: '0', refused: '4', failed: '8' } as const;
const SEVERITIES = { begun: 'informational', done: 'informational', refused: 'warning', failed: 'error' } as const;

/**
 * Builds the AuditEvent of one step.
 *
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns A FHIR_ADMIN AuditEvent. Outcome 4 is a call that was refused or not understood, 8 one that failed.
 */
export function adminEventOf(event: AdminEvent, systems: Systems): AuditEvent {
  const { action, effect, result, reason, values = {} } = event;
  return {
    resourceType: 'AuditEvent',
    extension: [{ url: SEVERITY, valueCode: SEVERITIES[result] }],
    type: { system: systems.auditType, code: 'FHIR_ADMIN' },
    subtype: [{ system: systems.auditDetail, code: action ?? 'unknown-action' }],
    action: effect === 'read' && result === 'done' ? 'R' : 'E',
    recorded: new Date(event.at).toISOString(),
    outcome: OUTCOMES[result],
    outcomeDesc: reason ?? result,
    agent: agentsOf(event, systems),
    source: observerOf(event.bot),
    entity: [
      correlationOf(event.correlationId, { ...(reason && { refusal: reason }), ...values }, systems),
      ...whoseEntity(event, systems),
    ],
  };
}
