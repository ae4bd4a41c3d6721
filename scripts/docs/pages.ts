/** What a person has to say of each bot; the rest of its page comes from bots.config.json. The compiler knows the names. */
import type { AnySettingName } from '../../src/config/all-settings.ts';
import { PARTNER_SETTINGS } from '../../src/config/partner-settings.ts';
import type { FaultCode } from '../../src/observability/fault.ts';

/** One bot. */
export interface Page {
  readonly input: string;
  readonly answer: string;
  readonly faults: readonly FaultCode[];
  /** Beside those of the replica and of the keys, which all that copy read. */
  readonly settings: readonly AnySettingName[];
  /** Where there is more. */
  readonly more?: string;
}

const COUNTS =
  'counts: `put`, `unchanged`, `withdrawn`, `skipped`, `quarantined`, `failed`, `queued`, and `reasons`; `{"off": true}` while SYNC_ENABLED is false';
const OF_SOURCE = ['settings-invalid', 'source-unavailable', 'source-refused', 'source-incomplete'] as const;

export const PAGES: Readonly<Record<string, Page | undefined>> = {
  'sync-change': {
    input:
      'the changed resource, or `{deletedResource}`: a hint only, what counts is what the source holds when it runs',
    answer: COUNTS,
    faults: [...OF_SOURCE, 'deadline'],
    settings: ['CONSENT_PURPOSE', 'REPLICA_ACTORS'],
    more: 'How a change travels is told in [how it works](how-it-works.md#how-a-change-travels).',
  },
  'consent-changed': {
    input: 'the changed Consent, or `{deletedResource}`',
    answer: COUNTS,
    faults: [...OF_SOURCE, 'deadline'],
    settings: ['CONSENT_PURPOSE', 'REPLICA_ACTORS', 'ERASER_CLIENT_ID'],
    more: 'The rules are in [consent.md](consent.md). Large patients go on as jobs.',
  },
  'retry-jobs': {
    input: 'nothing',
    answer: COUNTS,
    faults: [...OF_SOURCE],
    settings: ['QUEUE_CONCURRENCY', 'QUEUE_JOBS_PER_SECOND', 'QUEUE_ATTEMPTS'],
    more: 'See [the queue](how-it-works.md#the-queue).',
  },
  sweep: {
    input: 'nothing',
    answer: `${COUNTS}; \`pages\`, and whether everything was looked at`,
    faults: [...OF_SOURCE, 'replica-unavailable', 'replica-unauthorised'],
    settings: ['SWEEP_OVERLAP_SECONDS'],
  },
  reconcile: {
    input:
      'nothing; or `{action, types, patient, orgId, batchSize, staleDays, dryRun, deep}` from the bot `admin` or an ADMIN',
    answer:
      'the seeds’ result: `startTime`, `endTime`, `durationMs`, and for each type `total`, `notSynced`, `stale`, `enqueued`, `errors`',
    faults: [...OF_SOURCE, 'input-invalid', 'replica-unavailable', 'replica-unauthorised'],
    settings: [],
    more: 'See [reconciliation](how-it-works.md#reconciliation).',
  },
  health: {
    input: '`{"probe": "live" | "ready" | "startup"}`, or nothing for all checks; GET or POST',
    answer: '`{status, timestamp, checks, reasons, queue}`, with HTTP 200 whatever it finds',
    faults: [],
    settings: [],
    more: 'See [operate.md](operate.md#the-bot-health).',
  },
  reveal: {
    input: '`{token, purpose, reason}`, with `breakGlass: true` to break the glass; or `{"action": "list"}`',
    answer: 'the identified original; or the times that the glass was broken',
    faults: [...OF_SOURCE, 'input-invalid', 'reveal-refused', 'payload-missing', 'payload-unreadable'],
    settings: ['PAYLOAD_KEY', 'PAYLOAD_KEY_PREVIOUS', 'REVEAL_CLIENTS'],
  },
  export: {
    input: '`{patient, start, end, type, _count, _offset}`, or the same as Parameters of `Patient/$export-everything`',
    answer: 'a searchset Bundle of copies',
    faults: [...OF_SOURCE, 'input-invalid', 'export-refused', 'replica-unavailable'],
    settings: ['EXPORT_CLASSES', 'ADMIN_CLIENTS'],
    more: 'See [export.md](export.md).',
  },
  'research-export': {
    input:
      '`{action: "start", cohort: "Condition?code=…", types, k}`; `{action: "status" | "cancel", id}`; `{action: "file", id, file}` (by GET, for the file itself); `{action: "list"}`; from the clock, nothing',
    answer:
      '`{id, status, phase}` while it is made; then the manifest of Bulk Data Access 2.0 with the measure of k-anonymity in its `extension`; a file as a Binary of NDJSON',
    faults: [
      ...OF_SOURCE,
      'input-invalid',
      'research-refused',
      'replica-unavailable',
      'replica-unauthorised',
      'replica-rejected',
    ],
    settings: ['RESEARCH_K', 'RESEARCH_MAX_PATIENTS', 'RESEARCH_FILES_HOURS', 'ADMIN_CLIENTS'],
    more: 'What is in the files, what is left out, and what k-anonymity does not promise: [research.md](research.md).',
  },
  gateway: {
    input: '`{method, path, body}`',
    answer: '`{status, body}` of the replica, with relative links',
    faults: [...OF_SOURCE, 'input-invalid', 'gateway-refused', 'replica-unavailable'],
    settings: ['ADMIN_CLIENTS'],
    more: 'See [gateway.md](gateway.md).',
  },
  explain: {
    input: '`{patient, resource}` from the bot `admin`',
    answer: 'decision, evidence, what would be sent by name, the open job; no values',
    faults: [...OF_SOURCE, 'admin-refused', 'input-invalid', 'patient-unknown'],
    settings: [],
    more: 'See [admin.md](admin.md).',
  },
  ingest: {
    input:
      'an Observation, an Encounter, or a Bundle of replicated types, from the ClientApplication of another system',
    answer: '`{success, resourceType, id}`, or `{success, total, succeeded, failed, results}`',
    faults: [...OF_SOURCE, 'input-invalid'],
    settings: [],
  },
  'pull-partner': {
    input:
      'nothing; or `{action, full, since, types, seconds}` of an ADMIN: `partner/pull`, `partner/status`, `partner/cancel`',
    answer:
      'how far the pull is: phase, files, counts by type, what was refused and where; `{"off": true}` without a partner',
    faults: [...OF_SOURCE, 'input-invalid', 'admin-refused', 'contention', 'partner-unavailable', 'partner-rejected'],
    settings: PARTNER_SETTINGS.map(({ name }) => name),
    more: 'See [partners.md](partners.md).',
  },
  'match-patient': {
    input:
      'the changed Patient or Consent; or `{action, patient, candidate}` of an ADMIN: `partner/match`, `partner/decide`',
    answer: 'what came of it, with ids and grades of candidates; `{"off": true}` without a partner',
    faults: [...OF_SOURCE, 'input-invalid', 'admin-refused'],
    settings: PARTNER_SETTINGS.map(({ name }) => name),
    more: 'See [partners.md](partners.md#looking-patients-up).',
  },
  metrics: {
    input: 'nothing; `format=json` for JSON',
    answer: 'a Binary of Prometheus text',
    faults: [...OF_SOURCE],
    settings: [],
  },
  status: {
    input: 'nothing; `format=json` for JSON',
    answer: 'a page, as a Binary',
    faults: [...OF_SOURCE],
    settings: [],
  },
  admin: {
    input: '`{action, …parameters}`',
    answer: 'what the action answers, as JSON',
    faults: [...OF_SOURCE, 'admin-refused', 'action-unknown', 'input-invalid', 'patient-unknown', 'bot-failed'],
    settings: ['ADMIN_CLIENTS'],
    more: 'See [admin.md](admin.md).',
  },
  'consent-form': {
    input: 'the changed QuestionnaireResponse, or `{deletedResource}`',
    answer: 'what became of the Consent',
    faults: [...OF_SOURCE],
    settings: ['ADMIN_CLIENTS'],
    more: 'See [consent.md](consent.md#as-a-form).',
  },
  'mirror-audit': {
    input: 'nothing; or `{limit, forceSince}`',
    answer: 'the seeds’ `MirrorResult`',
    faults: [...OF_SOURCE, 'input-invalid', 'replica-unavailable', 'replica-unauthorised'],
    settings: ['SWEEP_OVERLAP_SECONDS', 'AUDIT_SIGNING_KEY'],
    more: 'See [audit.md](audit.md).',
  },
  'retain-audit': {
    input: 'nothing',
    answer: 'days archived, events deleted, archives that ended',
    faults: [...OF_SOURCE],
    settings: ['AUDIT_SIGNING_KEY', 'AUDIT_RETENTION_DAYS', 'AUDIT_ARCHIVE_YEARS'],
    more: 'See [audit.md](audit.md#retention).',
  },
};
