/** The trail of identified data that were shown, or asked for in vain: who, in which role, whose, why, by which Consent. */
import type { AuditEvent, AuditEventAgent, AuditEventEntity, AuditEventSource } from '@medplum/fhirtypes';
import { V3_ACT_REASON } from '../fhir/systems.ts';
import type { Systems } from '../fhir/systems.ts';
import { consentEntity, DCM, detail, OBJECT_ROLE, OBJECT_TYPE } from './trail.ts';

/** One ask. */
export interface AccessEvent {
  readonly kind: 'reveal' | 'break-glass' | 'list' | 'invalid';
  readonly correlationId: string;
  readonly bot: string;
  readonly requester: string | undefined;
  /** The role in which they were let in or refused; undefined when they have none. */
  readonly role: string | undefined;
  /** Undefined for a list, and for what could not be understood. */
  readonly purpose: string | undefined;
  readonly at: number;
  /** A code of ours; undefined when it was shown. */
  readonly refusal: string | undefined;
  readonly token: string | undefined;
  readonly patientId: string | undefined;
  /** The deciding Consent, `Consent/id/_history/version`, and where in it. */
  readonly consent: string | undefined;
  readonly path: string | undefined;
  /** The caller's words, encrypted: they may say anything about anybody. */
  readonly sealedReason: string | undefined;
}

const PARTICIPATION = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';

/** R4 has no severity; this is how R4 says what R5 does (FHIR R5, "Extensions for converting"). */
export const SEVERITY = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-AuditEvent.severity';

/**
 * Builds the AuditEvent of one ask.
 *
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns A FHIR_REVEAL AuditEvent. Outcome 4 is a refusal, 8 an original that could not be opened; broken glass is an alert.
 */
export function accessEventOf(event: AccessEvent, systems: Systems): AuditEvent {
  const { kind, refusal, purpose } = event;
  const recorded = new Date(event.at).toISOString();
  const purposes = [...new Set([...(kind === 'break-glass' ? ['BTG'] : []), ...(purpose ? [purpose] : [])])];
  return {
    resourceType: 'AuditEvent',
    extension: [{ url: SEVERITY, valueCode: severityOf(event) }],
    type: { system: systems.auditType, code: 'FHIR_REVEAL' },
    subtype: [{ system: systems.auditDetail, code: kind }],
    action: refusal ? 'E' : 'R',
    recorded,
    outcome: refusal === 'unreadable' ? '8' : refusal ? '4' : '0',
    outcomeDesc: refusal ?? (kind === 'list' ? 'listed' : 'revealed'),
    ...(purposes.length > 0 && {
      purposeOfEvent: purposes.map((code) => ({ coding: [{ system: V3_ACT_REASON, code }] })),
    }),
    agent: agentsOf(event, systems),
    source: observerOf(event.bot),
    entity: [
      correlationOf(
        event.correlationId,
        {
          ...(refusal && { refusal }),
          ...(event.sealedReason && { reason: event.sealedReason }),
          ...(event.path && { provision: event.path }),
        },
        systems
      ),
      ...whoseEntity(event, systems),
      ...(event.consent ? [consentEntity(event.consent)] : []),
    ],
  };
}

function severityOf({ kind, refusal }: AccessEvent): string {
  if (kind === 'break-glass') {
    return 'alert';
  }
  return refusal === 'unreadable' ? 'critical' : refusal ? 'warning' : 'informational';
}

/** Who asked, and whom. */
interface Asked {
  readonly bot: string;
  readonly requester: string | undefined;
  readonly role: string | undefined;
}

/**
 * @param asked - Who asked which bot, in which role.
 * @param systems - Our systems.
 * @returns The one who gets to know, and the bot. The name that the platform gives with a reference stays out.
 */
export function agentsOf({ bot, requester, role }: Asked, systems: Systems): AuditEventAgent[] {
  return [
    {
      type: { coding: [{ system: PARTICIPATION, code: 'IRCP', display: 'information recipient' }] },
      ...(requester ? { who: { reference: requester } } : { name: 'nobody' }),
      ...(role && { role: [{ coding: [{ system: systems.role, code: role }] }] }),
      requestor: true,
    },
    {
      type: { coding: [{ system: DCM, code: '110153', display: 'Source Role ID' }] },
      who: { reference: bot },
      requestor: false,
    },
  ];
}

/**
 * @param bot - `Bot/id`.
 * @returns Who observed: an application server.
 */
export function observerOf(bot: string): AuditEventSource {
  return {
    observer: { reference: bot },
    type: [{ system: 'http://terminology.hl7.org/CodeSystem/security-source-type', code: '4' }],
  };
}

/**
 * @param correlationId - Of the run.
 * @param details - Codes of ours, and what is encrypted.
 * @param systems - Our systems.
 * @returns The entity that names the run.
 */
export function correlationOf(
  correlationId: string,
  details: Readonly<Record<string, string>>,
  systems: Systems
): AuditEventEntity {
  return {
    what: { identifier: { system: systems.correlation, value: correlationId } },
    type: { system: OBJECT_TYPE, code: '4', display: 'Other' },
    role: { system: OBJECT_ROLE, code: '20', display: 'Job' },
    detail: Object.entries(details).map(([name, value]) => detail(name, value)),
  };
}

/**
 * @param whose - The patient, the token by which they were named, or neither.
 * @param systems - Our systems.
 * @returns The entity that names them, if anybody is meant.
 */
export function whoseEntity(
  { patientId, token }: { readonly patientId?: string | undefined; readonly token?: string | undefined },
  systems: Systems
): AuditEventEntity[] {
  if (patientId === undefined && token === undefined) {
    return [];
  }
  const system = token?.startsWith('pt_') ? systems.patientToken : systems.resourceToken;
  return [
    {
      what: {
        ...(patientId && { reference: `Patient/${patientId}` }),
        ...(token && { identifier: { system, value: token } }),
      },
      type: { system: OBJECT_TYPE, code: '1', display: 'Person' },
      role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
    },
  ];
}
