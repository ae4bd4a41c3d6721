/**
 * Series that alerts look at, from the first scrape on: a counter that appears with its first error has no increase for Prometheus, and that
 * error would be missed. Pure.
 */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { KeptName } from './families.ts';
import { add } from './figures.ts';
import type { Figures, Sample } from './figures.ts';
import { QUEUE_NAME } from './tasks.ts';

const DELIVERY = ['replica-unavailable', 'replica-rejected', 'replica-throttled'];
const RUNS = ['success', 'failure'];
const CRON = ['retry-jobs', 'sweep', 'reconcile', 'mirror-audit', 'pull-partner'].map((bot) => ['cron', bot]);
const EVENTS = ['sync-change', 'consent-changed', 'match-patient'].map((bot) => ['subscription', bot]);

/**
 * @param figures - What was counted.
 * @param org - The Medplum project, as far as known.
 * @returns The same, with zeros where nothing has happened yet.
 */
export function withZeros(figures: Figures, org: string | undefined): Figures {
  const zero = (family: KeptName, ...all: readonly (readonly string[])[]): Sample[] =>
    all.map((labels) => ({ family, labels, value: 0 }));
  return add(figures, [
    ...zero('holi_queue_job_errors_total', ...DELIVERY.map((code) => [QUEUE_NAME, code])),
    ...zero('holi_fhir_sync_errors_total', ...REPLICATED_TYPES.flatMap((type) => DELIVERY.map((code) => [type, code]))),
    ...zero('holi_fhir_reconciliation_runs_total', ...RUNS.map((status) => [status])),
    ...zero('holi_fhir_audit_mirror_runs_total', ...RUNS.map((status) => [status])),
    ...zero('holi_hipaa_audit_write_errors_total', ['source-refused'], ['source-unavailable']),
    ...zero(
      'holi_http_request_errors_total',
      ...[...CRON, ...EVENTS].flatMap((labels) => ['deadline', 'unexpected'].map((code) => [...labels, code]))
    ),
    ...(org === undefined
      ? []
      : zero(
          'holi_hipaa_consent_validations_total',
          ...['FHIR_REVEAL', 'FHIR_EXPORT'].map((type) => ['denied', type, org])
        )),
  ]);
}
