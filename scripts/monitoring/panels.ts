/** The panels of the dashboard, by row: the seeds' (§8.5), in their order. What they ask is proven by `npm run test:monitoring`. */

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly description: string;
  /** A Grafana unit. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** A few numbers of now, instead of a graph. */
  readonly isStat?: true;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Over as many scrapes as a rate needs, at one a minute. */
const WINDOW = '[5m]';
const MINUTE = 60;

const perMinute = (metric: string, by: string): Query => ({
  expr: `sum by (${by}) (rate(${metric}${WINDOW})) * ${MINUTE}`,
  legend: by
    .split(', ')
    .map((label) => `{{${label}}}`)
    .join(' '),
});

const quantile = (q: number, histogram: string, by: string, where = ''): Query => ({
  expr: `histogram_quantile(${q}, sum by (${['le', by].filter(Boolean).join(', ')}) (rate(${histogram}_bucket${where}${WINDOW})))`,
  legend: `p${q * 100}${by && ` {{${by}}}`}`,
});

export const ROWS: readonly Row[] = [
  {
    title: 'System health',
    panels: [
      {
        title: 'System health',
        description: 'Whether the bot answers, source and replica do, and deliveries go on (1 is well).',
        unit: 'none',
        isStat: true,
        queries: [
          { expr: 'max(up{job="consent-sync"})', legend: 'bots' },
          { expr: 'max by (database) (holi_database_connections_active)', legend: '{{database}}' },
          { expr: '1 - max(holi_queue_held)', legend: 'queue' },
        ],
      },
    ],
  },
  {
    title: 'Bot runs',
    panels: [
      {
        title: 'Runs a minute',
        description: 'By what started them.',
        unit: 'short',
        queries: [perMinute('holi_http_requests_total', 'method')],
      },
      {
        title: 'Run time',
        description: 'By bot.',
        unit: 's',
        queries: [
          quantile(0.5, 'holi_http_request_duration_seconds', 'route'),
          quantile(0.95, 'holi_http_request_duration_seconds', 'route'),
        ],
      },
    ],
  },
  {
    title: 'Queue health',
    panels: [
      {
        title: 'Jobs',
        description: 'Active and waiting.',
        unit: 'short',
        queries: [
          { expr: 'holi_queue_jobs_active', legend: 'active' },
          { expr: 'holi_queue_jobs_waiting', legend: 'waiting' },
        ],
      },
      {
        title: 'Failed jobs',
        description: 'Dead letters, and errors a minute.',
        unit: 'short',
        queries: [
          { expr: 'holi_queue_jobs_failed', legend: 'failed' },
          perMinute('holi_queue_job_errors_total', 'error_type'),
        ],
      },
      {
        title: 'Job duration',
        description: 'By kind of job.',
        unit: 's',
        queries: [quantile(0.95, 'holi_queue_job_duration_seconds', 'job_type')],
      },
    ],
  },
  {
    title: 'FHIR sync health',
    panels: [
      {
        title: 'Not synced',
        description: 'Changes that are known and not delivered.',
        unit: 'short',
        queries: [{ expr: 'sum by (resource_type) (holi_fhir_sync_not_synced)', legend: '{{resource_type}}' }],
      },
      {
        title: 'Stale',
        description: 'Those that are older than an hour.',
        unit: 'short',
        queries: [{ expr: 'sum by (resource_type) (holi_fhir_sync_stale)', legend: '{{resource_type}}' }],
      },
      {
        title: 'Sync operations a minute',
        description: 'What became of records.',
        unit: 'short',
        queries: [perMinute('holi_fhir_sync_operations_total', 'status')],
      },
    ],
  },
  {
    title: 'FHIR sync performance',
    panels: [
      {
        title: 'Sync duration',
        description: 'By type of the record that changed.',
        unit: 's',
        queries: [quantile(0.95, 'holi_fhir_sync_duration_seconds', 'resource_type')],
      },
      {
        title: 'Sync errors a minute',
        description: 'By the code of the fault.',
        unit: 'short',
        queries: [perMinute('holi_fhir_sync_errors_total', 'error_type')],
      },
    ],
  },
  {
    title: 'Reconciliation',
    panels: [
      {
        title: 'Reconciliations an hour',
        description: 'Complete comparisons of both sides.',
        unit: 'short',
        queries: [
          { expr: 'sum by (status) (increase(holi_fhir_reconciliation_runs_total[1h]))', legend: '{{status}}' },
        ],
      },
      {
        title: 'Reconciliation duration',
        description: 'From beginning to end, over a day.',
        unit: 's',
        queries: [0.5, 0.95].map((q) => ({
          expr: `histogram_quantile(${q}, sum by (le) (rate(holi_fhir_reconciliation_duration_seconds_bucket[1d])))`,
          legend: `p${q * 100}`,
        })),
      },
    ],
  },
  {
    title: 'Audit mirror',
    panels: [
      {
        title: 'Mirrored events an hour',
        description: 'AuditEvents of the replica: mirrored, skipped, refused.',
        unit: 'short',
        queries: [
          { expr: 'sum by (status) (increase(holi_fhir_audit_mirror_events_total[1h]))', legend: '{{status}}' },
        ],
      },
      {
        title: 'Audit mirror duration',
        description: 'Of one run, over a day.',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.95, sum by (le) (rate(holi_fhir_audit_mirror_duration_seconds_bucket[1d])))',
            legend: 'p95',
          },
        ],
      },
    ],
  },
  {
    title: 'HIPAA compliance',
    panels: [
      {
        title: 'Audit events a minute',
        description: 'By type.',
        unit: 'short',
        queries: [perMinute('holi_hipaa_audit_events_total', 'event_type')],
      },
      {
        title: 'PHI access an hour',
        description: 'Identified data that were shown, by the role of who asked.',
        unit: 'short',
        queries: [
          {
            expr: 'sum by (user_role, access_type) (increase(holi_hipaa_phi_access_total[1h]))',
            legend: '{{user_role}} {{access_type}}',
          },
        ],
      },
      {
        title: 'Consent decisions a minute',
        description: 'Granted, denied, missing, overridden by break-glass.',
        unit: 'short',
        queries: [perMinute('holi_hipaa_consent_validations_total', 'status, event_type')],
      },
    ],
  },
  {
    title: 'Source and replica',
    panels: [
      {
        title: 'Answering',
        description: '1 while the server answers.',
        unit: 'short',
        queries: [{ expr: 'max by (database) (holi_database_connections_active)', legend: '{{database}}' }],
      },
      {
        title: 'Time to answer',
        description: 'The questions of the bot metrics.',
        unit: 's',
        queries: [quantile(0.95, 'holi_database_query_duration_seconds', 'database')],
      },
    ],
  },
  {
    title: 'FHIR operations',
    panels: [
      {
        title: 'Operations a minute',
        description: 'By the name that the trail has for them.',
        unit: 'short',
        queries: [perMinute('holi_fhir_operations_total', 'operation, status')],
      },
    ],
  },
];
