/** What an AuditEvent of ours counts for. It reads what `observability/*-trail.ts` write. Pure. */
import type { AuditEvent, AuditEventEntity } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import { SILENCE_REASONS } from '../../rules/consent/decision.ts';
import { KINDS, pluralOf, resultIn } from '../reconciliation.ts';
import type { Counts } from '../reconciliation.ts';
import type { KeptName } from './families.ts';
import type { Sample } from './figures.ts';
import { secondsOf } from './runs.ts';
import { QUEUE_NAME } from './tasks.ts';

const one = (family: KeptName, ...labels: readonly string[]): Sample => ({ family, labels, value: 1 });
const many = (family: KeptName, value: number, ...labels: readonly string[]): Sample => ({ family, labels, value });

/** Action in the trail → the operation that it is, and how it ended. A removal that has only begun counts when it is done. */
const ACTIONS: Readonly<Record<string, readonly [operation: string, status: string]>> = {
  put: ['put', 'success'],
  unchanged: ['put', 'unchanged'],
  withdraw: ['withdraw', 'success'],
  skip: ['put', 'withheld'],
  quarantine: ['put', 'quarantined'],
  fail: ['put', 'failure'],
};

/**
 * @param event - An AuditEvent with a type of ours.
 * @param systems - Our systems.
 * @param bot - The name of the bot that wrote it, as far as known.
 * @returns What it counts for. One that came back from an archive was counted when it was new.
 */
export function samplesOfEvent(event: AuditEvent, systems: Systems, bot: string | undefined): Sample[] {
  const tags = event.meta?.tag ?? [];
  if (tags.some(({ system }) => system === systems.restored)) {
    return [];
  }
  const type = event.type.code ?? 'unknown';
  const logged = one('holi_hipaa_audit_events_total', type, orgOf(event));
  if (tags.some(({ system }) => system === systems.mirrored)) {
    return [logged];
  }
  const status = event.outcome === '0' ? 'success' : event.outcome === '4' ? 'refused' : 'failure';
  return [
    logged,
    one('holi_fhir_operations_total', operationOf(event, systems), status),
    ...(BY_TYPE[type]?.({ event, systems, bot, type }) ?? []),
  ];
}

interface Row {
  readonly event: AuditEvent;
  readonly systems: Systems;
  readonly bot: string | undefined;
  readonly type: string;
}

const BY_TYPE: Readonly<Record<string, (row: Row) => Sample[]>> = {
  FHIR_SYNC: syncSamples,
  FHIR_CONSENT: syncSamples,
  FHIR_REVEAL: accessSamples,
  FHIR_EXPORT: accessSamples,
  FHIR_READ: accessSamples,
  FHIR_AUDIT_MIRROR: mirrorSamples,
  FHIR_RECONCILIATION: reconciliationSamples,
};

function orgOf({ meta }: AuditEvent): string {
  return meta?.project ?? 'none';
}

/** The name of ours if there is one, or that of FHIR. */
function operationOf({ subtype = [] }: AuditEvent, systems: Systems): string {
  const own = subtype.find(({ system }) => system === systems.auditDetail)?.code;
  return own ?? subtype[0]?.code ?? 'unknown';
}

const detailOf = (entity: AuditEventEntity | undefined, name: string): string | undefined =>
  entity?.detail?.find(({ type }) => type === name)?.valueString;

const typeOf = ({ what }: AuditEventEntity): string => what?.type ?? what?.reference?.split('/')[0] ?? 'unknown';

function syncSamples({ event, bot, type }: Row): Sample[] {
  const records = (event.entity ?? []).filter((entity) => detailOf(entity, 'action') !== undefined);
  const fault = event.outcome === '8' ? (event.outcomeDesc ?? 'unexpected') : undefined;
  const failed = records.filter((entity) => detailOf(entity, 'action') === 'fail');
  const errors = [
    ...failed.map((entity) => [typeOf(entity), detailOf(entity, 'reason') ?? fault ?? 'unexpected'] as const),
    ...(fault !== undefined && failed.length === 0 ? [['all', fault] as const] : []),
  ];
  return [
    ...records.flatMap((entity) => {
      const [operation, status] = ACTIONS[detailOf(entity, 'action') ?? ''] ?? [];
      return operation === undefined || status === undefined
        ? []
        : [one('holi_fhir_sync_operations_total', typeOf(entity), operation, status)];
    }),
    ...errors.map(([resourceType, code]) => one('holi_fhir_sync_errors_total', resourceType, code)),
    ...(bot === 'retry-jobs' ? errors.map(([, code]) => one('holi_queue_job_errors_total', QUEUE_NAME, code)) : []),
    ...records.flatMap((entity) => {
      const status = validationOf(entity);
      return status === undefined ? [] : [one('holi_hipaa_consent_validations_total', status, type, orgOf(event))];
    }),
  ];
}

/** Why no Consent permitted, where none forbade either. */
const SILENT: readonly string[] = SILENCE_REASONS.map((reason) => `consent-${reason}`);

/** What Consents said about a record; undefined where none was asked. */
function validationOf(entity: AuditEventEntity): string | undefined {
  const action = detailOf(entity, 'action');
  if (action === 'put') {
    return 'granted';
  }
  const reason = detailOf(entity, 'reason') ?? '';
  const isAsked = (action === 'skip' || action === 'withdraw') && /^consent-(?!run-first$)/.test(reason);
  return isAsked ? (SILENT.includes(reason) ? 'missing' : 'denied') : undefined;
}

function accessSamples({ event, systems, type }: Row): Sample[] {
  const asker = event.agent.find(({ requestor }) => requestor);
  const role = asker?.role?.[0]?.coding?.find(({ system }) => system === systems.role)?.code ?? 'none';
  const kind = operationOf(event, systems);
  const isShown = event.outcome === '0';
  const status = isShown
    ? kind === 'break-glass'
      ? 'overridden'
      : 'granted'
    : event.outcome === '4'
      ? 'denied'
      : undefined;
  return [
    ...(isShown ? [one('holi_hipaa_phi_access_total', role, kind, orgOf(event))] : []),
    ...(status === undefined ? [] : [one('holi_hipaa_consent_validations_total', status, type, orgOf(event))]),
  ];
}

function mirrorSamples({ event }: Row): Sample[] {
  const [run] = event.entity ?? [];
  const count = (name: string): number => Number(detailOf(run, name) ?? 0);
  const isWell = event.outcome === '0' && count('errors') === 0;
  return [
    one('holi_fhir_audit_mirror_runs_total', isWell ? 'success' : 'failure'),
    many('holi_fhir_audit_mirror_duration_seconds', secondsOf(event)),
    ...['mirrored', 'skipped', 'errors'].map((name) =>
      many('holi_fhir_audit_mirror_events_total', count(name), name === 'errors' ? 'error' : name)
    ),
  ];
}

function reconciliationSamples({ event }: Row): Sample[] {
  const result = resultIn(event);
  if (!result) {
    return [];
  }
  const differences = REPLICATED_TYPES.flatMap((resourceType) => {
    const counts = result[pluralOf(resourceType)] as Counts | undefined;
    return KINDS.flatMap((kind) =>
      counts?.[kind] ? [many('holi_fhir_reconciliation_differences_total', counts[kind], resourceType, kind)] : []
    );
  });
  return [
    one('holi_fhir_reconciliation_runs_total', event.outcome === '0' ? 'success' : 'failure'),
    many('holi_fhir_reconciliation_duration_seconds', result.durationMs / 1000),
    ...differences,
  ];
}
