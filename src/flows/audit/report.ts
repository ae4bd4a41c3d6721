/** Compliance reports out of the trail: rows, and CSV that no spreadsheet runs. Pure. */
import type { AuditEvent, AuditEventEntity } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';

export const REPORTS = ['exports', 'reveals', 'refusals', 'consents', 'erasures', 'disclosures'] as const;
export type ReportKind = (typeof REPORTS)[number];

/** Which of our events a report is made from. */
export const REPORT_TYPES: Readonly<Record<ReportKind, readonly string[]>> = {
  exports: ['FHIR_EXPORT'],
  reveals: ['FHIR_REVEAL'],
  refusals: ['FHIR_SYNC', 'FHIR_REVEAL', 'FHIR_EXPORT', 'FHIR_INGRESS', 'FHIR_ADMIN'],
  consents: ['FHIR_CONSENT'],
  erasures: ['FHIR_SYNC'],
  disclosures: ['FHIR_SYNC', 'FHIR_REVEAL', 'FHIR_EXPORT', 'FHIR_READ'],
};

/** One line of a report: references, tokens and codes. */
export interface ReportRow {
  readonly at: string;
  readonly type: string;
  /** Who acted: a reference of the source, or of the replica when the event is mirrored. */
  readonly who: string;
  readonly role: string;
  /** Who received: the FHIR endpoint of the replica, or who asked. */
  readonly recipient: string;
  readonly purpose: string;
  readonly patient: string;
  /** The record in the source, `Type/id`, where the event names it: what was disclosed, in brief. */
  readonly record: string;
  /** The record as it is called outside. */
  readonly token: string;
  /** How many records, where the event counts them. */
  readonly count: string;
  readonly action: string;
  readonly reason: string;
  /** The authorising Consent, with its version. */
  readonly consent: string;
  readonly outcome: string;
  readonly correlation: string;
}

/** What a reader of the trail has to know of the deployment. */
export interface Setting {
  readonly systems: Systems;
  readonly replica: {
    readonly fhirUrl: string;
    /** With which our bots sign in there: what they do there themselves discloses nothing. */
    readonly clientId: string;
  };
}

const REFUSED = ['skip', 'quarantine'];

/**
 * @param kind - The report.
 * @param events - Events of its types, oldest first.
 * @param setting - The deployment.
 * @returns Its rows.
 */
export function rowsOf(kind: ReportKind, events: readonly AuditEvent[], setting: Setting): ReportRow[] {
  // The replica's client, whatever the type of what it signs in as.
  const isOurselves = (who: string): boolean => who.endsWith(`/${setting.replica.clientId}`);
  return events.flatMap((event) => {
    const records = (event.entity ?? []).filter((entity) => of(entity, 'action') !== '');
    const whole = baseOf(event, setting);
    const wasDone = event.outcome === '0';
    const rows = records.map((entity) => withRecord(whole, entity));
    switch (kind) {
      case 'exports':
      case 'consents':
        return [whole];
      case 'reveals':
        return wasDone && whole.action !== 'list' ? [whole] : [];
      case 'refusals':
        return event.type.code === 'FHIR_SYNC'
          ? rows.filter(({ action }) => REFUSED.includes(action))
          : event.outcome === '4'
            ? [whole]
            : [];
      case 'erasures':
        return rows.filter(({ action }) => action === 'withdraw');
      case 'disclosures':
        return event.type.code === 'FHIR_SYNC'
          ? rows.filter(({ action }) => action === 'put')
          : wasDone && whole.action !== 'list' && !isOurselves(whole.who)
            ? [whole]
            : [];
    }
  });
}

function of(entity: AuditEventEntity | undefined, name: string): string {
  return entity?.detail?.find(({ type }) => type === name)?.valueString ?? '';
}

function baseOf(event: AuditEvent, { systems, replica }: Setting): ReportRow {
  const { entity = [], agent } = event;
  const requestor = agent.find(({ requestor: is }) => is) ?? agent[0];
  const job = entity.find(({ what }) => what?.identifier?.system === systems.correlation);
  const patient = entity.find(({ type, role }) => type?.code === '1' && role?.code === '1')?.what;
  const record = entity.find(({ what }) => what?.identifier?.system === systems.resourceToken);
  const consents = entity.flatMap(({ role, what }) => (role?.code === '13' ? (what?.reference ?? []) : []));
  // Where the replica was at that time; earlier versions did not write it down.
  const receiver = agent.find(({ requestor: is }) => !is)?.who?.identifier?.value;
  const who = requestor?.who?.reference ?? requestor?.who?.identifier?.value ?? requestor?.name ?? '';
  return {
    at: event.recorded,
    type: event.type.code ?? '',
    who,
    role: requestor?.role?.[0]?.coding?.[0]?.code ?? '',
    recipient: event.type.code === 'FHIR_SYNC' ? (receiver ?? replica.fhirUrl) : who,
    purpose: (event.purposeOfEvent ?? []).flatMap(({ coding }) => coding?.[0]?.code ?? []).join(' '),
    patient:
      (patient?.identifier?.system === systems.patientToken && patient.identifier.value) || (patient?.reference ?? ''),
    record: record?.what?.reference ?? of(record, 'replica'),
    token: record?.what?.identifier?.value ?? '',
    count: of(job, 'resourceCount'),
    action: event.subtype?.at(-1)?.code ?? '',
    reason: of(job, 'refusal') || (event.outcome === '4' ? (event.outcomeDesc ?? '') : ''),
    consent: consents.join(' '),
    outcome: event.outcome ?? '',
    correlation: job?.what?.identifier?.value ?? '',
  };
}

function withRecord(row: ReportRow, entity: AuditEventEntity): ReportRow {
  return {
    ...row,
    record: entity.what?.reference ?? '',
    token: entity.what?.identifier?.value ?? '',
    action: of(entity, 'action'),
    reason: of(entity, 'reason'),
    consent: of(entity, 'consent'),
  };
}

const HEADS = [
  'at',
  'type',
  'who',
  'role',
  'recipient',
  'purpose',
  'patient',
  'record',
  'token',
  'count',
  'action',
  'reason',
  'consent',
  'outcome',
  'correlation',
] as const satisfies readonly (keyof ReportRow)[];

/**
 * @param rows - A report.
 * @returns CSV (RFC 4180) with a header.
 */
export function csvOf(rows: readonly ReportRow[]): string {
  return [HEADS.join(','), ...rows.map((row) => HEADS.map((head) => cellOf(row[head])).join(','))]
    .map((line) => `${line}\r\n`)
    .join('');
}

/** A cell that begins like a formula is run by spreadsheets: an apostrophe keeps it text (OWASP, CSV Injection). */
function cellOf(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * @param title - Its title.
 * @param rows - A report.
 * @returns An HTML page without script.
 */
export function pageOf(title: string, rows: readonly ReportRow[]): string {
  const text = (cell: string): string => cell.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const head = HEADS.map((name) => `<th scope="col">${name}</th>`).join('');
  const body = rows.map((row) => `<tr>${HEADS.map((name) => `<td>${text(row[name])}</td>`).join('')}</tr>`).join('\n');
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${text(title)}</title>`,
    '<style>body{font:16px/1.5 system-ui;margin:2rem}table{border-collapse:collapse}td,th{border-bottom:1px solid;padding:.3rem;text-align:left}</style>',
    `<h1>${text(title)}</h1><p>${rows.length} rows</p><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></html>`,
  ].join('\n');
}

/** One export as the seeds list them (§6.2). */
export interface ListedExport {
  readonly timestamp: string;
  readonly correlationId: string;
  readonly userId: string;
  readonly patientTokenId: string;
  readonly resourceCount: number;
}

/** @param row - A row of the report `exports`. @returns It in the shape of the seeds. */
export function listedExport({ at, correlation, who, patient, count }: ReportRow): ListedExport {
  return {
    timestamp: at,
    correlationId: correlation,
    userId: who,
    patientTokenId: patient,
    resourceCount: Number(count),
  };
}

/**
 * What a report would find if the archived days were still on the server: the same types, time and patient.
 *
 * @param kind - The report.
 * @param events - Archived events.
 * @param since - From when on, an instant.
 * @param patient - `Patient/id`, to tell of one patient only.
 * @returns Those that belong in it.
 */
export function reported(
  kind: ReportKind,
  events: readonly AuditEvent[],
  since: string | undefined,
  patient?: string
): AuditEvent[] {
  return events.filter(
    ({ type, meta, entity = [] }) =>
      REPORT_TYPES[kind].includes(type.code ?? '') &&
      (meta?.lastUpdated ?? '') >= (since ?? '') &&
      (!patient || entity.some(({ what }) => what?.reference === patient))
  );
}
