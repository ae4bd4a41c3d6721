/** What the platform's own record of a bot's run counts for (`AuditEvent.type` execute, `platform.md` §4.5). Pure. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { FAULTS } from '../../observability/fault.ts';
import type { FaultCode } from '../../observability/fault.ts';
import type { Sample } from './figures.ts';

const EXECUTE = 'https://medplum.com/CodeSystem/audit-event';

/** What of a search for rows of the trail finds these. */
export const RUN_TYPE = `${EXECUTE}|execute`;

/** Faults of the caller: whoever asks otherwise gets an answer. */
const REFUSALS: readonly string[] = ['forbidden', 'invalid', 'not-found', 'not-supported'];

/**
 * @param event - A row of the trail.
 * @returns True for a run of a bot.
 */
export function isRun({ type }: AuditEvent): boolean {
  return type.system === EXECUTE && type.code === 'execute';
}

/**
 * @param event - A run.
 * @returns The bot, `Bot/id`, and its name as far as the row tells it.
 */
export function botOf(event: AuditEvent): { readonly reference: string; readonly name: string | undefined } {
  const observer = event.source.observer;
  const agent = event.agent.find(({ who }) => who?.reference !== undefined && who.reference === observer?.reference);
  return { reference: observer?.reference ?? '', name: observer?.display ?? agent?.who?.display };
}

/**
 * @param event - A run.
 * @param bot - The bot's name.
 * @returns What it counts for.
 */
export function samplesOfRun(event: AuditEvent, bot: string): Sample[] {
  const seconds = secondsOf(event);
  const fault = event.outcome === '0' ? undefined : faultIn(event.outcomeDesc ?? '');
  const status = fault === undefined ? '200' : isRefusal(fault) ? '400' : '500';
  const labels = [startedBy(event), bot];
  return [
    { family: 'holi_http_requests_total', labels: [...labels, status], value: 1 },
    { family: 'holi_http_request_duration_seconds', labels: [...labels, status], value: seconds },
    ...(fault === undefined
      ? []
      : [{ family: 'holi_http_request_errors_total', labels: [...labels, fault], value: 1 } as const]),
    ...(fault === 'source-refused' || fault === 'source-unavailable'
      ? [{ family: 'holi_hipaa_audit_write_errors_total', labels: [fault], value: 1 } as const]
      : []),
    ...durationOf(event, bot, seconds),
  ];
}

/**
 * @param event - A row with a period.
 * @returns Its length in seconds.
 */
export function secondsOf({ period }: AuditEvent): number {
  return Math.max(0, Date.parse(period?.end ?? '') - Date.parse(period?.start ?? '')) / 1000;
}

function durationOf(event: AuditEvent, bot: string, seconds: number): Sample[] {
  const operation = OPERATIONS[bot];
  const subject = (event.entity ?? [])
    .map(({ what }) => what?.reference?.split('/')[0] ?? '')
    .find((type) => type !== '' && type !== 'Bot' && type !== 'Subscription');
  const resourceType = subject ?? 'all';
  return operation === undefined
    ? []
    : [{ family: 'holi_fhir_sync_duration_seconds', labels: [resourceType, operation], value: seconds }];
}

/** The bots that copy what an event tells of. */
const OPERATIONS: Readonly<Record<string, string>> = { 'sync-change': 'change', 'consent-changed': 'consent' };

function startedBy({ agent, entity = [] }: AuditEvent): string {
  if (entity.some(({ what }) => what?.reference?.split('/')[0] === 'Subscription')) {
    return 'subscription';
  }
  return agent.some(({ requestor, who }) => requestor && who?.reference) ? 'execute' : 'cron';
}

/** The bot's own last word; a run that was cut off has none. */
function faultIn(output: string): string {
  const found = [...output.matchAll(/"event":"run-failed"[^\n]*?"fault":"([a-z-]+)"/g)].at(-1)?.[1];
  return found ?? 'unexpected';
}

function isRefusal(fault: string): boolean {
  // That a server refuses us is no refusal of ours.
  const isOfServer = /^(source|replica)-/.test(fault);
  return !isOfServer && Object.hasOwn(FAULTS, fault) && REFUSALS.includes(FAULTS[fault as FaultCode].issue);
}
