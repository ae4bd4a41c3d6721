/**
 * Our audit trail as FHIR AuditEvents, after IHE BALP (Basic Audit Log Patterns 1.1.3): who did what to which record, for
 * which purpose, by which Consent, with what result. Values are references, tokens and codes; never content.
 */
import type { AuditEvent, AuditEventEntity, AuditEventEntityDetail } from '@medplum/fhirtypes';
import { V3_ACT_REASON } from '../fhir/systems.ts';
import type { Systems } from '../fhir/systems.ts';
import type { Action } from './tally.ts';

/** One record that an event is about. */
export interface TrailEntity {
  /** The record in the source, `Type/id`, while the source has it. */
  readonly reference?: string;
  /** Absent where the record never had one. */
  readonly token?: string;
  readonly tokenSystem?: string;
  /** `withdrawing` is told before a copy is removed, `withdraw` when it is gone. */
  readonly action: Action | 'withdrawing';
  readonly reason?: string;
  /** The deciding Consent, `Consent/id/_history/version`. */
  readonly consent?: string;
  /** Where in it the decision was made. */
  readonly path?: string;
  readonly validUntil?: string;
  /** How a copy was removed: with its history, or without. */
  readonly erasure?: 'expunged' | 'deleted';
}

/** Every `AuditEvent.type` code of ours that tells what we did ourselves; docs/audit.md says what each is. */
export const TRAIL_TYPES = [
  'FHIR_SYNC',
  'FHIR_CONSENT',
  'FHIR_REVEAL',
  'FHIR_EXPORT',
  'FHIR_INGRESS',
  'FHIR_RECONCILIATION',
  'FHIR_AUDIT_MIRROR',
  'FHIR_ADMIN',
] as const;

/** What an event is about. */
export type TrailType = (typeof TRAIL_TYPES)[number];

/** One event of ours. */
export interface TrailEvent {
  /** FHIR_SYNC unless said otherwise. */
  readonly type?: TrailType;
  /** More about the run as a whole: names and codes of ours, and counts. */
  readonly details?: Readonly<Record<string, string>>;
  readonly correlationId: string;
  /** The bot, `Bot/id`. */
  readonly bot: string;
  readonly patientId: string;
  /** Absent where the patient never had one. */
  readonly patientToken?: string;
  readonly purpose: string;
  /** Who receives: the FHIR endpoint of the replica as it is at that time. */
  readonly replica: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Rounds of gather → plan → apply that it took; more than one means that the record changed meanwhile. */
  readonly attempt: number;
  /** The code of the fault, when the event tells of one. */
  readonly fault?: string;
  readonly entities: readonly TrailEntity[];
}

export const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
export const OBJECT_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
export const OBJECT_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role';
export const RESTFUL = 'http://hl7.org/fhir/restful-interaction';

/**
 * Builds the AuditEvent of one sync.
 *
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns An AuditEvent.
 */
export function auditEventOf(event: TrailEvent, systems: Systems): AuditEvent {
  const at = (ms: number): string => new Date(ms).toISOString();
  const { action, interaction } = kindOf(event.entities);
  return {
    resourceType: 'AuditEvent',
    type: { system: systems.auditType, code: event.type ?? 'FHIR_SYNC' },
    subtype: [{ system: RESTFUL, code: interaction }],
    action,
    period: { start: at(event.startedAt), end: at(event.endedAt) },
    recorded: at(event.endedAt),
    outcome: event.fault ? '8' : event.entities.some((entity) => entity.action === 'quarantine') ? '4' : '0',
    outcomeDesc: event.fault ?? summary(event.entities),
    purposeOfEvent: [{ coding: [{ system: V3_ACT_REASON, code: event.purpose }] }],
    agent: [
      {
        type: { coding: [{ system: DCM, code: '110153', display: 'Source Role ID' }] },
        who: { reference: event.bot },
        requestor: true,
      },
      {
        type: { coding: [{ system: DCM, code: '110152', display: 'Destination Role ID' }] },
        who: { identifier: { system: 'urn:ietf:rfc:3986', value: event.replica } },
        name: 'replica',
        requestor: false,
      },
    ],
    source: {
      observer: { reference: event.bot },
      type: [{ system: 'http://terminology.hl7.org/CodeSystem/security-source-type', code: '4' }],
    },
    entity: [
      correlationEntity(event, systems),
      patientEntity(event, systems),
      ...event.entities.map(recordEntity),
      ...consentEntities(event.entities),
    ],
  };
}

function kindOf(entities: readonly TrailEntity[]): { action: NonNullable<AuditEvent['action']>; interaction: string } {
  if (entities.some(({ action }) => action === 'put')) {
    return { action: 'U', interaction: 'update' };
  }
  return entities.some(({ action }) => action === 'withdraw' || action === 'withdrawing')
    ? { action: 'D', interaction: 'delete' }
    : { action: 'E', interaction: 'operation' };
}

function summary(entities: readonly TrailEntity[]): string {
  const counts = new Map<string, number>();
  for (const { action } of entities) {
    counts.set(action, (counts.get(action) ?? 0) + 1);
  }
  return [...counts].map(([action, count]) => `${action}:${count}`).join(' ');
}

function correlationEntity(event: TrailEvent, systems: Systems): AuditEventEntity {
  return {
    what: { identifier: { system: systems.correlation, value: event.correlationId } },
    type: { system: OBJECT_TYPE, code: '4', display: 'Other' },
    role: { system: OBJECT_ROLE, code: '20', display: 'Job' },
    detail: [
      detail('attempt', String(event.attempt)),
      ...Object.entries(event.details ?? {}).map(([name, value]) => detail(name, value)),
    ],
  };
}

function patientEntity(event: TrailEvent, systems: Systems): AuditEventEntity {
  return {
    what: {
      reference: `Patient/${event.patientId}`,
      ...(event.patientToken && { identifier: { system: systems.patientToken, value: event.patientToken } }),
    },
    type: { system: OBJECT_TYPE, code: '1', display: 'Person' },
    role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
  };
}

function recordEntity(entity: TrailEntity): AuditEventEntity {
  const { reference, token, tokenSystem, action, reason, path, validUntil, consent, erasure } = entity;
  return {
    what: {
      ...(reference && { reference }),
      ...(token && tokenSystem && { identifier: { system: tokenSystem, value: token } }),
    },
    type: { system: OBJECT_TYPE, code: '2', display: 'System Object' },
    role: { system: OBJECT_ROLE, code: '4', display: 'Domain Resource' },
    detail: [
      detail('action', action),
      ...(reason ? [detail('reason', reason)] : []),
      ...(consent ? [detail('consent', consent)] : []),
      ...(path ? [detail('provision', path)] : []),
      ...(validUntil ? [detail('validUntil', validUntil)] : []),
      ...(erasure ? [detail('erasure', erasure)] : []),
    ],
  };
}

/** The Consents that decided, once each: BALP's way to name the authorisation (`PrivacyDisclosure` / consent entity). */
function consentEntities(entities: readonly TrailEntity[]): AuditEventEntity[] {
  return [...new Set(entities.flatMap(({ consent }) => consent ?? []))].map(consentEntity);
}

/**
 * @param reference - `Consent/id/_history/version`.
 * @returns The entity that names it.
 */
export function consentEntity(reference: string): AuditEventEntity {
  return {
    what: { reference },
    type: { system: OBJECT_TYPE, code: '2', display: 'System Object' },
    role: { system: OBJECT_ROLE, code: '13', display: 'Security Resource' },
  };
}

/**
 * @param type - A name of ours.
 * @param valueString - A code, count, reference or token.
 * @returns The detail.
 */
export function detail(type: string, valueString: string): AuditEventEntityDetail {
  return { type, valueString };
}
