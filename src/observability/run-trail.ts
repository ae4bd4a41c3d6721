/** The trail of runs that are about no single patient: an audit mirror, a reconciliation, an action of an administrator. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { DCM, detail, OBJECT_ROLE, OBJECT_TYPE, RESTFUL } from './trail.ts';
import type { TrailType } from './trail.ts';

/** One run. */
export interface RunEvent {
  readonly type: TrailType;
  /** What was done, as a code of ours: `mirror`, `queue/retry`, … */
  readonly action: string;
  readonly correlationId: string;
  /** The bot, `Bot/id`. */
  readonly bot: string;
  /** Who asked; undefined for cron. */
  readonly requester?: string | undefined;
  /** The role in which they asked. */
  readonly role?: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  /** A code of ours: why it was refused, or the fault that ended it. */
  readonly refusal?: string | undefined;
  readonly fault?: string | undefined;
  /** Names of ours with counts, codes or instants; never content. */
  readonly details: Readonly<Record<string, string | number>>;
}

/**
 * Builds the AuditEvent of one run.
 *
 * @param event - What happened.
 * @param systems - Our systems.
 * @returns An AuditEvent. Outcome 4 is a refusal, 8 a fault.
 */
export function runEventOf(event: RunEvent, systems: Systems): AuditEvent {
  const at = (ms: number): string => new Date(ms).toISOString();
  const { requester, role, refusal, fault } = event;
  return {
    resourceType: 'AuditEvent',
    type: { system: systems.auditType, code: event.type },
    subtype: [
      { system: RESTFUL, code: 'operation' },
      { system: systems.auditDetail, code: event.action },
    ],
    action: 'E',
    period: { start: at(event.startedAt), end: at(event.endedAt) },
    recorded: at(event.endedAt),
    outcome: fault ? '8' : refusal ? '4' : '0',
    outcomeDesc: fault ?? refusal ?? 'done',
    agent: [
      ...(requester
        ? [
            {
              type: { coding: [{ system: DCM, code: '110153', display: 'Source Role ID' }] },
              who: { reference: requester },
              ...(role && { role: [{ coding: [{ system: systems.role, code: role }] }] }),
              requestor: true,
            },
          ]
        : []),
      {
        type: { coding: [{ system: DCM, code: '110150', display: 'Application' }] },
        who: { reference: event.bot },
        requestor: !requester,
      },
    ],
    source: {
      observer: { reference: event.bot },
      type: [{ system: 'http://terminology.hl7.org/CodeSystem/security-source-type', code: '4' }],
    },
    entity: [
      {
        what: { identifier: { system: systems.correlation, value: event.correlationId } },
        type: { system: OBJECT_TYPE, code: '4', display: 'Other' },
        role: { system: OBJECT_ROLE, code: '20', display: 'Job' },
        ...(Object.keys(event.details).length > 0 && {
          detail: Object.entries(event.details).map(([name, value]) => detail(name, String(value))),
        }),
      },
    ],
  };
}
