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
  /** Who received: `replica`, or who asked. */
  readonly recipient: string;
  readonly purpose: string;
  readonly patient: string;
  /** The record. */
  readonly token: string;
  readonly action: string;
  readonly reason: string;
  /** The authorising Consent, with its version. */
  readonly consent: string;
  readonly outcome: string;
  readonly correlation: string;
}

const REFUSED = ['skip', 'quarantine'];

/**
 * @param kind - The report.
 * @param events - Events of its types, oldest first.
 * @param systems - Our systems.
 * @returns Its rows.
 */
export function rowsOf(kind: ReportKind, events: readonly AuditEvent[], systems: Systems): ReportRow[] {
  return events.flatMap((event) => {
    const records = (event.entity ?? []).filter((entity) => of(entity, 'action') !== '');
    const whole = baseOf(event, systems);
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
          : wasDone && whole.action !== 'list'
            ? [whole]
            : [];
    }
  });
}

function of(entity: AuditEventEntity | undefined, name: string): string {
  return entity?.detail?.find(({ type }) => type === name)?.valueString ?? '';
}

function baseOf(event: AuditEvent, systems: Systems): ReportRow {
  const { entity = [], agent } = event;
  const requestor = agent.find(({ requestor: is }) => is) ?? agent[0];
  const job = entity.find(({ what }) => what?.identifier?.system === systems.correlation);
  const patient = entity.find(({ what }) => what?.identifier?.system === systems.patientToken);
  const record = entity.find(({ what }) => what?.identifier?.system === systems.resourceToken);
  const consent = entity.find(({ role }) => role?.code === '13');
  const who = requestor?.who?.reference ?? requestor?.who?.identifier?.value ?? requestor?.name ?? '';
  return {
    at: event.recorded,
    type: event.type.code ?? '',
    who,
    role: requestor?.role?.[0]?.coding?.[0]?.code ?? '',
    recipient: event.type.code === 'FHIR_SYNC' ? 'replica' : who,
    purpose: (event.purposeOfEvent ?? []).flatMap(({ coding }) => coding?.[0]?.code ?? []).join(' '),
    patient: patient?.what?.identifier?.value ?? '',
    token: record?.what?.identifier?.value ?? '',
    action: event.subtype?.at(-1)?.code ?? '',
    reason: of(job, 'refusal') || (event.outcome === '4' ? (event.outcomeDesc ?? '') : ''),
    consent: consent?.what?.reference ?? of(job, 'consent'),
    outcome: event.outcome ?? '',
    correlation: job?.what?.identifier?.value ?? '',
  };
}

function withRecord(row: ReportRow, entity: AuditEventEntity): ReportRow {
  return {
    ...row,
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
  'token',
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
