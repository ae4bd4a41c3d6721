/** `report` and `disclosures`: tables out of the trail, archived days included. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { writeFileSync } from 'node:fs';
import { eventsIn, verifyArchive } from '../../src/flows/audit/archive.ts';
import { csvOf, pageOf, REPORTS } from '../../src/flows/audit/report.ts';
import type { ReportKind } from '../../src/flows/audit/report.ts';
import { reportRows } from '../../src/flows/audit/search.io.ts';
import { linkIn } from '../../src/flows/link.ts';
import { Refusal } from '../deploy/server.ts';
import { at, USAGE } from './options.ts';
import type { Values } from './options.ts';
import { archivesOf, keysOf, open } from './trail.ts';
import type { Opened } from './trail.ts';

const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, w: 604_800_000, y: 31_557_600_000 };

function sinceOf(text: string): string {
  const [, count, unit = ''] = /^(\d+)([dwy])$/.exec(text) ?? [];
  const ms = count ? Date.now() - Number(count) * (UNITS[unit] ?? 0) : Date.parse(text);
  if (Number.isNaN(ms)) {
    throw new Refusal(`--since ${text} is no time`, 'Give 90d, 12w, 6y, or a date.');
  }
  return new Date(ms).toISOString();
}

/** Archived days are part of every report that reaches back to them; one that is not as it was sealed stops it. */
async function archivedSince(opened: Opened, values: Values, since: string): Promise<AuditEvent[]> {
  const { source, signer } = opened;
  const archives = (await archivesOf(opened)).filter(({ manifest }) => manifest.day >= since.slice(0, 10));
  const found: AuditEvent[] = [];
  for (const { manifest, text, signature, ndjson } of archives) {
    const content = await source.load(ndjson);
    if (verifyArchive(text, signature, content, keysOf(values, signer)).length > 0) {
      throw new Refusal(`the archive of ${manifest.day} is not as it was sealed`, 'npm run audit -- verify');
    }
    found.push(...(eventsIn(content ?? '') ?? []));
  }
  return found;
}

/** @returns The exit code. */
export async function report(values: Values, kind: string | undefined, patient?: string): Promise<number> {
  if (!REPORTS.includes(kind as ReportKind)) {
    throw new Refusal(`there is no report "${kind ?? ''}"`, USAGE);
  }
  const opened = await open();
  const { source, loaded } = opened;
  if (!('config' in loaded)) {
    throw new Refusal('the settings of the source are not valid', 'npm run doctor');
  }
  const since = sinceOf(values.since ?? (patient ? '6y' : '90d'));
  const archived = await archivedSince(opened, values, since);
  const rows = await reportRows(source, loaded.config, { kind: kind as ReportKind, since, patient }, archived);
  if (values.page) {
    writeFileSync(at(values.page), pageOf(`${kind}${patient ? ` of ${patient}` : ''} since ${since}`, rows), {
      mode: 0o600,
    });
  } else {
    console.log(values.csv ? csvOf(rows).trimEnd() : JSON.stringify(rows, undefined, 2));
  }
  return 0;
}

/** @returns The exit code. */
export async function disclosures(values: Values, name: string | undefined): Promise<number> {
  if (!name) {
    throw new Refusal('no patient is named', 'Name Patient/<id>, an id, or the token pt_…');
  }
  if (!name.startsWith('pt_')) {
    return report(values, 'disclosures', `Patient/${name.replace(/^Patient\//, '')}`);
  }
  const { source, systems } = await open();
  const page = await source.search(
    `Basic?identifier=${encodeURIComponent(`${systems.patientToken}|${name}`)}&_count=1`
  );
  // The link says it also of a Patient who is gone.
  const link = linkIn(
    systems,
    (page.entry ?? []).flatMap(({ resource }) => resource ?? [])
  );
  if (!link) {
    throw new Refusal(`nobody was ever known as ${name}`, 'The replica’s Patient.identifier holds the token.');
  }
  return report(values, 'disclosures', `Patient/${link.patientId}`);
}
