import { createReference, isResourceWithId } from '@medplum/core';
import type { AuditEvent, Bot, Extension, Project, Reference, Resource, Subscription } from '@medplum/fhirtypes';

/** Interactions that leave an AuditEvent when they succeed on a whole resource (platform.md §4.4). */
export type AuditedInteraction = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'history';

const ACTIONS = { create: 'C', read: 'R', update: 'U', patch: 'U', delete: 'D', history: 'R' } as const;

/** The last characters of a bot's output that are kept in `outcomeDesc` (platform.md §4.5). */
const OUTPUT_LENGTH = 10 * 1024;

/** The request in which something happened; rows of one request share it. */
export interface Trace {
  readonly requestId: string;
  readonly traceId: string;
}

function tracing(trace: Trace): Extension[] {
  return [
    {
      url: 'https://medplum.com/fhir/StructureDefinition/tracing',
      extension: [
        { url: 'requestId', valueId: trace.requestId },
        { url: 'traceId', valueId: trace.traceId },
      ],
    },
  ];
}

/** The row of one REST interaction (platform.md §4.5). */
export function restEvent(
  interaction: AuditedInteraction,
  resource: Resource,
  who: Reference,
  trace: Trace,
  at: string,
  baseUrl: string
): AuditEvent {
  return {
    resourceType: 'AuditEvent',
    type: {
      system: 'http://terminology.hl7.org/CodeSystem/audit-event-type',
      code: 'rest',
      display: 'Restful Operation',
    },
    subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: interaction, display: interaction }],
    action: ACTIONS[interaction],
    recorded: at,
    source: { observer: { identifier: { value: baseUrl } } },
    agent: [{ who: who as Reference<Bot>, requestor: true, network: { address: '127.0.0.1', type: '2' } }],
    outcome: '0',
    entity: [{ what: createReference(resource) }],
    extension: tracing(trace),
  };
}

/** What `executeEvent` needs to know of a run. */
export interface ExecutedRun {
  readonly bot: Bot;
  readonly requester: Reference | undefined;
  readonly input: unknown;
  readonly subscription: Subscription | undefined;
  readonly success: boolean;
  readonly output: string;
  readonly startedAt: string;
  readonly trace: Trace;
}

/**
 * The row of one bot run, unless `Bot.auditEventTrigger` or `auditEventDestination` says otherwise.
 * What the bot printed is in it: a log line is a stored resource.
 */
export function executeEvent(run: ExecutedRun, at: string): AuditEvent | undefined {
  const { bot, requester, success, output } = run;
  const trigger = bot.auditEventTrigger ?? 'always';
  if (
    trigger === 'never' ||
    (trigger === 'on-error' && success) ||
    (trigger === 'on-output' && output === '') ||
    (bot.auditEventDestination && !bot.auditEventDestination.includes('resource'))
  ) {
    return undefined;
  }
  const self = createReference(bot);
  return {
    resourceType: 'AuditEvent',
    type: { system: 'https://medplum.com/CodeSystem/audit-event', code: 'execute' },
    period: { start: run.startedAt, end: at },
    recorded: at,
    agent: [
      { ...(requester && { who: requester as Reference<Bot> }), requestor: true },
      { who: self, requestor: false },
    ],
    source: { observer: self as Reference as Reference<never> },
    entity: [bot, run.input, run.subscription]
      .filter((value) => isResourceWithId(value))
      .map((resource) => ({
        what: createReference(resource),
        role: entityRole(resource),
      })),
    outcome: success ? '0' : '4',
    outcomeDesc: output.slice(-OUTPUT_LENGTH),
    extension: tracing(run.trace),
  };
}

function entityRole(resource: Resource): { code: string; display: string } {
  switch (resource.resourceType) {
    case 'Patient':
      return { code: '1', display: 'Patient' };
    case 'Subscription':
      return { code: '9', display: 'Subscriber' };
    default:
      return { code: '4', display: 'Domain' };
  }
}

/**
 * `Project.setting redactAuditEvents`: names what an event is about by reference only; a display would be the patient's name
 * (platform.md §4.5).
 */
export function redacted(event: AuditEvent, project: Project | undefined): AuditEvent {
  if (!project?.setting?.some(({ name, valueBoolean }) => name === 'redactAuditEvents' && valueBoolean)) {
    return event;
  }
  const withoutDisplay = ({ display: _display, ...reference }: Reference): Reference => reference;
  return {
    ...event,
    ...(event.entity && {
      entity: event.entity.map((entity) => ({ ...entity, ...(entity.what && { what: withoutDisplay(entity.what) }) })),
    }),
  };
}
