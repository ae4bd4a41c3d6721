/** The trail of what came in: who sent, in whose name, what of it was taken, and what was refused. Names of ours, references and hashes. */
import type { AuditEvent, AuditEventEntity, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { whoseEntity } from './access-trail.ts';
import { runEventOf } from './run-trail.ts';
import { consentEntity, detail, OBJECT_ROLE, OBJECT_TYPE } from './trail.ts';

/** One record that was taken. */
export interface IngressRecord {
  /** By which it is found: a record has no id before it is stored. */
  readonly key: string;
  readonly type: string;
  readonly action: 'created' | 'updated';
  /** SHA-256 of what was received. */
  readonly digest: string;
  /** `Patient/id`; a patient who is new has no id yet. */
  readonly patient: string;
  readonly consent?: string | undefined;
}

/** One transaction, or one request of which something was not taken. */
export interface IngressEvent {
  readonly correlationId: string;
  readonly bot: string;
  readonly requester: string | undefined;
  /** The Organization in whose name it was sent; undefined when there is none. */
  readonly organizationId: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly refusal?: string | undefined;
  /** Counts, by names of ours. */
  readonly counts: Readonly<Record<string, number>>;
  readonly records: readonly IngressRecord[];
}

/**
 * Builds the AuditEvent.
 *
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns A FHIR_INGRESS AuditEvent. Outcome 4 tells that something was refused.
 */
export function ingressEventOf(event: IngressEvent, systems: Systems): AuditEvent {
  const { organizationId, counts, records } = event;
  const run = runEventOf(
    {
      ...event,
      type: 'FHIR_INGRESS',
      action: 'ingest',
      details: { ...(organizationId && { organization: `Organization/${organizationId}` }), ...counts },
    },
    systems
  );
  const patients = new Set(
    records.flatMap(({ patient }) => (patient.startsWith('Patient/') ? [patient.slice(8)] : []))
  );
  const consents = new Set(records.flatMap(({ consent }) => consent ?? []));
  return {
    ...run,
    action: records.length === 0 ? 'E' : records.every(({ action }) => action === 'updated') ? 'U' : 'C',
    entity: [
      ...(run.entity ?? []),
      ...[...patients].flatMap((patientId) => whoseEntity({ patientId }, systems)),
      ...records.map(({ key, type, action, digest }): AuditEventEntity => ({
        what: { type: type as Resource['resourceType'], identifier: { system: systems.ingested, value: key } },
        type: { system: OBJECT_TYPE, code: '2', display: 'System Object' },
        role: { system: OBJECT_ROLE, code: '4', display: 'Domain Resource' },
        detail: [detail('action', action), detail('sha-256', digest)],
      })),
      ...[...consents].map(consentEntity),
    ],
  };
}
