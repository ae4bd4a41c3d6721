/** The trail of exports: who got how much of whose, in which role, by which Consent, or why not. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { V3_ACT_REASON } from '../fhir/systems.ts';
import type { Systems } from '../fhir/systems.ts';
import { agentsOf, correlationOf, observerOf, SEVERITY, whoseEntity } from './access-trail.ts';
import { consentEntity } from './trail.ts';

/** One export. */
export interface ExportEvent {
  /** By which way: a patient's whole record, a request that was passed on, demographics by which a partner is asked, a cohort, or one of its files. */
  readonly kind: 'everything' | 'gateway' | 'match' | 'research' | 'research-file';
  readonly correlationId: string;
  readonly bot: string;
  readonly requester: string | undefined;
  readonly role: string | undefined;
  /** A v3-ActReason. */
  readonly purpose: string;
  /** Begin and end, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly at: number;
  /** A code of ours; undefined when it was answered. */
  readonly refusal: string | undefined;
  /** True when it was not a refusal but a failure. */
  readonly hasFailed?: boolean;
  readonly patientId: string | undefined;
  readonly token: string | undefined;
  /** How many resources were handed over. */
  readonly resourceCount: number;
  /** What was asked for, in words of ours. */
  readonly details?: Readonly<Record<string, string>>;
  /** The deciding Consents, `Consent/id/_history/version`. */
  readonly consents: readonly string[];
}

/**
 * Builds the AuditEvent of one export.
 *
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns A FHIR_EXPORT AuditEvent. Outcome 4 is a refusal, 8 a failure.
 */
export function exportEventOf(event: ExportEvent, systems: Systems): AuditEvent {
  const { refusal, hasFailed, purpose } = event;
  const instant = (at: number): string => new Date(at).toISOString();
  return {
    resourceType: 'AuditEvent',
    extension: [{ url: SEVERITY, valueCode: hasFailed ? 'error' : refusal ? 'warning' : 'informational' }],
    type: { system: systems.auditType, code: 'FHIR_EXPORT' },
    subtype: [{ system: systems.auditDetail, code: event.kind }],
    action: refusal ? 'E' : 'R',
    period: { start: instant(event.startedAt), end: instant(event.at) },
    recorded: instant(event.at),
    outcome: hasFailed ? '8' : refusal ? '4' : '0',
    outcomeDesc: refusal ?? 'exported',
    purposeOfEvent: [{ coding: [{ system: V3_ACT_REASON, code: purpose }] }],
    agent: agentsOf(event, systems),
    source: observerOf(event.bot),
    entity: [
      correlationOf(
        event.correlationId,
        { resourceCount: String(event.resourceCount), ...event.details, ...(refusal && { refusal }) },
        systems
      ),
      ...whoseEntity(event, systems),
      ...event.consents.map(consentEntity),
    ],
  };
}
