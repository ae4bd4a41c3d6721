/**
 * Every metric, by name: the seeds' (§8.3), and what else an operator of this bundle needs. One table makes the exposition, the JSON and
 * docs/monitoring.md. Names of labels and values are codes of ours: no id, token or name of anybody is ever one. Pure.
 */

/** Prometheus knows more types; these are ours. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface Family {
  readonly type: MetricType;
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram, in seconds, ascending; `+Inf` is added. */
  readonly buckets?: readonly number[];
}

/** From a quick read to the longest run that a bot may take. */
const RUN = [0.1, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] as const;
/** A reconciliation of everything may take hours, over many runs. */
const LONG = [1, 5, 10, 30, 60, 300, 900, 3600, 14_400] as const;
const PROBE = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2] as const;

export const FAMILIES = {
  holi_queue_jobs_active: {
    type: 'gauge',
    labels: ['queue_name'],
    help: 'Jobs that a run is working on.',
  },
  holi_queue_jobs_waiting: {
    type: 'gauge',
    labels: ['queue_name'],
    help: 'Jobs that are due and wait for a run.',
  },
  holi_queue_jobs_failed: {
    type: 'gauge',
    labels: ['queue_name'],
    help: 'Dead letters: refused by the replica, or tried in vain as often as the settings allow.',
  },
  holi_queue_jobs_delayed: {
    type: 'gauge',
    labels: ['queue_name'],
    help: 'Jobs whose time has not come: the next try of a failed one, or a timer.',
  },
  holi_queue_jobs_paused: {
    type: 'gauge',
    labels: ['queue_name'],
    help: 'Jobs that a person holds back.',
  },
  holi_queue_oldest_waiting_seconds: {
    type: 'gauge',
    labels: ['queue_name'],
    help: 'For how long the oldest waiting job has been due.',
  },
  holi_queue_held: {
    type: 'gauge',
    labels: ['queue_name', 'reason'],
    help: '1 when nothing is delivered: a person has paused the queue, or its breaker is open for this reason.',
  },
  holi_queue_job_duration_seconds: {
    type: 'histogram',
    labels: ['queue_name', 'job_type'],
    buckets: RUN,
    help: 'From the claim of a job to its settlement; jobs of one lot are settled together.',
  },
  holi_queue_job_errors_total: {
    type: 'counter',
    labels: ['queue_name', 'error_type'],
    help: 'Failures of jobs.',
  },
  holi_fhir_sync_operations_total: {
    type: 'counter',
    labels: ['resource_type', 'operation', 'status'],
    help: 'What the trail tells of records: sent, removed, withheld, quarantined or failed. What was sent is told before it is, so a failed one is in success as well.',
  },
  holi_fhir_sync_duration_seconds: {
    type: 'histogram',
    labels: ['resource_type', 'operation'],
    buckets: RUN,
    help: 'How long one event took, from the start of the bot to its end.',
  },
  holi_fhir_sync_errors_total: {
    type: 'counter',
    labels: ['resource_type', 'error_type'],
    help: 'Failures to copy or remove, by the code of the fault.',
  },
  holi_fhir_sync_not_synced: {
    type: 'gauge',
    labels: ['resource_type'],
    help: 'Changes that are known and not delivered yet: open jobs and dead letters.',
  },
  holi_fhir_sync_stale: {
    type: 'gauge',
    labels: ['resource_type'],
    help: 'Those of them that are older than an hour.',
  },
  holi_fhir_sync_watermark_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How far the oldest feed of the sweep is behind.',
  },
  holi_fhir_sync_enabled: {
    type: 'gauge',
    labels: [],
    help: '0 while SYNC_ENABLED is false.',
  },
  holi_fhir_reconciliation_runs_total: {
    type: 'counter',
    labels: ['status'],
    help: 'Complete comparisons of both sides.',
  },
  holi_fhir_reconciliation_duration_seconds: {
    type: 'histogram',
    labels: [],
    buckets: LONG,
    help: 'From the beginning of a comparison to its end, over as many runs as it took.',
  },
  holi_fhir_reconciliation_differences_total: {
    type: 'counter',
    labels: ['resource_type', 'kind'],
    help: 'Copies that were not as they should be, when a comparison found them.',
  },
  holi_fhir_audit_mirror_runs_total: {
    type: 'counter',
    labels: ['status'],
    help: 'Runs of the audit mirror.',
  },
  holi_fhir_audit_mirror_events_total: {
    type: 'counter',
    labels: ['status'],
    help: 'AuditEvents of the replica that were mirrored, skipped, or refused by the source.',
  },
  holi_fhir_audit_mirror_duration_seconds: {
    type: 'histogram',
    labels: [],
    buckets: RUN,
    help: 'How long one run of the audit mirror took.',
  },
  holi_hipaa_audit_events_total: {
    type: 'counter',
    labels: ['event_type', 'org_id'],
    help: 'AuditEvents of ours, mirrored ones included. org_id is the Medplum project.',
  },
  holi_hipaa_phi_access_total: {
    type: 'counter',
    labels: ['user_role', 'access_type', 'org_id'],
    help: 'Identified data that were shown to somebody.',
  },
  holi_hipaa_consent_validations_total: {
    type: 'counter',
    labels: ['status', 'event_type', 'org_id'],
    help: 'Decisions by consent: granted, denied, missing, or overridden by break-glass. FHIR_SYNC is replication, the rest are people.',
  },
  holi_hipaa_audit_write_errors_total: {
    type: 'counter',
    labels: ['error_type'],
    help: 'Runs that the source refused or did not answer: nothing is done that cannot be written into the trail.',
  },
  holi_http_requests_total: {
    type: 'counter',
    labels: ['method', 'route', 'status_code'],
    help: 'Runs of bots. method: execute, subscription or cron; route: the bot; status_code: 200, 400 for a refusal, 500 for a fault.',
  },
  holi_http_request_duration_seconds: {
    type: 'histogram',
    labels: ['method', 'route', 'status_code'],
    buckets: RUN,
    help: 'How long a run of a bot took.',
  },
  holi_http_request_errors_total: {
    type: 'counter',
    labels: ['method', 'route', 'error_type'],
    help: 'Runs of bots that ended with a fault, by its code.',
  },
  holi_database_connections_active: {
    type: 'gauge',
    labels: ['database'],
    help: '1 when the server answers, 0 when it does not: source and replica are our databases.',
  },
  holi_database_query_duration_seconds: {
    type: 'histogram',
    labels: ['database'],
    buckets: PROBE,
    help: 'How long each took to answer the questions of this bot, one observation for each reading.',
  },
  holi_fhir_operations_total: {
    type: 'counter',
    labels: ['operation', 'status'],
    help: 'What was done, by the name that the trail has for it.',
  },
  holi_metrics_lag_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How much of the trail is not counted yet: 0 when all of it is.',
  },
  holi_metrics_taken_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When these figures were taken, in seconds since the epoch.',
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof FAMILIES;

/** The families whose figures are added up and kept. */
export type KeptName = {
  [K in FamilyName]: (typeof FAMILIES)[K]['type'] extends 'gauge' ? never : K;
}[FamilyName];

export type GaugeName = Exclude<FamilyName, KeptName>;
