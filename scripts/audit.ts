/** `npm run audit -- <command>`: proves that nobody touched the trail, exports and restores it, and reports out of it. */
import { MedplumClient } from '@medplum/core';
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { archiveIn, eventsIn, manifestOf, ndjsonOf, verifyArchive } from '../src/flows/audit/archive.ts';
import { eventsOf, eventsOfDay } from '../src/flows/audit/day.io.ts';
import { csvOf, pageOf, REPORTS } from '../src/flows/audit/report.ts';
import type { ReportKind } from '../src/flows/audit/report.ts';
import { reportRows } from '../src/flows/audit/search.io.ts';
import { lineOf, parsed, sealIn, sealsSearch } from '../src/flows/audit/seal.ts';
import type { SignedSeal } from '../src/flows/audit/seal.ts';
import { verifyDay, verifySeals } from '../src/flows/audit/verify.ts';
import type { Tampering } from '../src/flows/audit/verify.ts';
import { systemClock } from '../src/observability/clock.io.ts';
import { checkMac } from '../src/observability/event-mac.ts';
import { signerOf } from '../src/observability/signer.ts';
import type { Signer } from '../src/observability/signer.ts';
import type { SourceFhir } from '../src/ports.ts';
import { sourceClient } from '../src/remote/source.io.ts';
import { connectSource } from './consent/project.ts';
import type { Source } from './consent/project.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { credentialsOf, Refusal } from './deploy/server.ts';

const USAGE = `npm run audit -- <command>

  verify [--from DAY] [--to DAY]            every sealed day against its seal; what came after the last seal against its keyed hashes
  verify --archive FILE... --public-key F   exported archives (DAY.manifest.json with DAY.ndjson beside it), without a server
  export --out DIR [--from DAY] [--to DAY]  sealed days as archives, and the public key
  restore --archive FILE --public-key F     brings the events of an archive back; what is there stays
  report KIND [--since 90d] [--csv] [--page FILE]   KIND: ${REPORTS.join(', ')}
  disclosures PATIENT|TOKEN [--since 6y] [--csv] [--page FILE]   45 CFR 164.528
  public-key                                whom to believe: keep it where the trail is not
`;

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  archive: { type: 'string', multiple: true },
  'public-key': { type: 'string', multiple: true },
  out: { type: 'string' },
  since: { type: 'string' },
  csv: { type: 'boolean' },
  page: { type: 'string' },
  help: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>['values'];

/** An archive file: what is signed, by whom. */
interface ArchiveFile {
  readonly manifest: string;
  readonly signature: string;
}

interface Opened extends Source {
  readonly source: SourceFhir;
  readonly signer: Signer | undefined;
}

const at = (path: string): string => resolve(process.env['INIT_CWD'] ?? '.', path);

async function open(): Promise<Opened> {
  const connected = await connectSource(process.env);
  const { baseUrl, clientId, clientSecret } = credentialsOf(process.env);
  const medplum = new MedplumClient({ baseUrl });
  await medplum.startClientLogin(clientId, clientSecret);
  const random = { unit: (): number => Math.random(), uuid: (): string => randomUUID() };
  const seed = 'config' in connected.loaded ? connected.loaded.config.audit.seed : undefined;
  const source = sourceClient(medplum, { clock: systemClock, random });
  return { ...connected, source, signer: seed === undefined ? undefined : signerOf(seed) };
}

function keysOf(values: Values, signer: Signer | undefined): string[] {
  const keys = [
    ...(values['public-key'] ?? []).map((path) => readFileSync(at(path), 'utf8')),
    ...(signer ? [signer.publicKey] : []),
  ];
  if (keys.length === 0) {
    throw new Refusal('there is no key to believe', 'Give --public-key FILE, or set AUDIT_SIGNING_KEY in the project.');
  }
  return keys;
}

async function basics(source: SourceFhir, first: string): Promise<Basic[]> {
  const found: Basic[] = [];
  for (let url: string | undefined = first; url;) {
    const page = await source.search(url);
    found.push(...(page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'Basic' ? [resource] : [])));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found;
}

async function sealsOf({ source, systems }: Opened): Promise<SignedSeal[]> {
  const seals = (await basics(source, sealsSearch(systems))).flatMap((basic) => sealIn(systems, basic) ?? []);
  return seals.sort((a, b) => (a.seal.day < b.seal.day ? -1 : 1));
}

/** The events of a day, on the server or in its archive. */
async function eventsAt({ source, systems }: Opened, day: string, archives: readonly Basic[]): Promise<AuditEvent[]> {
  const there = await eventsOfDay(source, systems, day);
  const kept = archives.map((basic) => archiveIn(systems, basic)).find((archive) => archive?.manifest.day === day);
  const archived = kept ? (eventsIn((await source.load(kept.ndjson)) ?? '') ?? []) : [];
  return [...new Map([...archived, ...there].map((event) => [event.id, event])).values()].sort((a, b) =>
    `${a.meta?.lastUpdated} ${a.id}` < `${b.meta?.lastUpdated} ${b.id}` ? -1 : 1
  );
}

function tell(found: readonly Tampering[], checked: string): number {
  for (const { day, what, id, position, at: instant } of found) {
    console.log(
      `${day}  ${what}${id ? `  AuditEvent/${id}` : ''}${position ? `, number ${position} of the day` : ''}${instant ? `, ${instant}` : ''}`
    );
  }
  console.log(
    found.length === 0
      ? `Nothing was changed, removed or inserted: ${checked}.`
      : `${found.length} findings in ${checked}.`
  );
  return found.length === 0 ? 0 : 1;
}

const inRange = ({ from, to }: Values, day: string): boolean => (!from || day >= from) && (!to || day <= to);

async function verify(values: Values): Promise<number> {
  if (values.archive) {
    const keys = keysOf(values, undefined);
    const found = values.archive.flatMap((path) => {
      const { file, ndjson } = readArchive(path);
      return verifyArchive(file.manifest, file.signature, ndjson, keys);
    });
    return tell(found, `${values.archive.length} archives`);
  }
  const opened = await open();
  const { source, systems, signer } = opened;
  const seals = await sealsOf(opened);
  const archives = await basics(source, sealsSearch(systems).replace('audit-seal', 'audit-archive'));
  const found = verifySeals(seals, keysOf(values, signer), true);
  let events = 0;
  for (const signed of seals.filter(({ seal }) => inRange(values, seal.day))) {
    const there = await eventsAt(opened, signed.seal.day, archives);
    events += there.length;
    const list = await source.load(signed.list);
    const missing = (list ?? '').split('\n').flatMap((line) => line.split(' ')[1] ?? []);
    const known = new Set(there.map(({ id }) => id));
    const moved = new Set<string>();
    for (const id of missing.filter((each) => !known.has(each))) {
      const [now] = await eventsOf(source, `AuditEvent?_id=${id}`);
      if (now?.id) {
        moved.add(now.id);
      }
    }
    found.push(...verifyDay(signed, list, there, moved));
  }
  const last = seals.at(-1)?.seal.day;
  let open_ = 0;
  if (signer && (!values.to || !last || values.to > last)) {
    const type = encodeURIComponent(`${systems.auditType}|`);
    const since = last ? `&_lastUpdated=gt${last}T23:59:59.999Z` : '';
    let url: string | undefined = `AuditEvent?type=${type}&_sort=_lastUpdated&_count=1000${since}`;
    while (url) {
      const page = await source.search(url);
      for (const { resource } of page.entry ?? []) {
        const event = resource as AuditEvent;
        open_++;
        const verdict = checkMac(event, systems, signer.mac);
        const day = event.meta?.lastUpdated?.slice(0, 10) ?? '';
        if (verdict === 'bad' || verdict === 'missing') {
          found.push({ day, what: verdict === 'bad' ? 'changed' : 'inserted', id: event.id ?? '' });
        }
      }
      url = page.link?.find(({ relation }) => relation === 'next')?.url;
    }
  }
  return tell(found, `${seals.length} sealed days with ${events} events, and ${open_} events not sealed yet`);
}

function readArchive(path: string): { readonly file: ArchiveFile; readonly ndjson: string } {
  const file = parsed<ArchiveFile>(readFileSync(at(path), 'utf8'));
  if (!file?.manifest) {
    throw new Refusal(`${path} is no manifest`, 'Name DAY.manifest.json; DAY.ndjson lies beside it.');
  }
  return { file, ndjson: readFileSync(at(path).replace(/\.manifest\.json$/, '.ndjson'), 'utf8') };
}

async function exportDays(values: Values): Promise<number> {
  const opened = await open();
  const { source, systems, signer } = opened;
  if (!signer || !values.out) {
    throw new Refusal('nothing can be exported', 'Set AUDIT_SIGNING_KEY in the project, and name --out DIR.');
  }
  const out = at(values.out);
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'public-key.pem'), signer.publicKey);
  const archives = await basics(source, sealsSearch(systems).replace('audit-seal', 'audit-archive'));
  const seals = (await sealsOf(opened)).filter(({ seal }) => inRange(values, seal.day));
  for (const signed of seals) {
    const ndjson = ndjsonOf(await eventsAt(opened, signed.seal.day, archives));
    const { text, signature } = manifestOf(signed, ndjson, signer, Date.now());
    writeFileSync(join(out, `${signed.seal.day}.ndjson`), ndjson);
    writeFileSync(
      join(out, `${signed.seal.day}.manifest.json`),
      JSON.stringify({ manifest: text, signature } satisfies ArchiveFile, undefined, 2)
    );
  }
  console.log(`${seals.length} days written.`);
  return 0;
}

async function restore(values: Values): Promise<number> {
  const opened = await open();
  const { source, systems, signer } = opened;
  let restored = 0;
  for (const path of values.archive ?? []) {
    const { file, ndjson } = readArchive(path);
    const found = verifyArchive(file.manifest, file.signature, ndjson, keysOf(values, signer));
    if (found.length > 0) {
      return tell(found, path);
    }
    for (const event of eventsIn(ndjson) ?? []) {
      const tag = encodeURIComponent(`${systems.restored}|${event.id}`);
      const [there] = await eventsOf(source, `AuditEvent?_id=${event.id}`);
      const [again] = there ? [there] : await eventsOf(source, `AuditEvent?_tag=${tag}&_count=1`);
      if (!again) {
        const { id, meta, ...content } = event;
        const tags = [...(meta?.tag ?? []), { system: systems.restored, code: id ?? '' }];
        await source.record({ ...content, meta: { tag: tags } });
        restored++;
      }
    }
    console.log(`${path}: ${(eventsIn(ndjson) ?? []).map(lineOf).length} events verified.`);
  }
  console.log(`${restored} restored; the others are there.`);
  return 0;
}

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
async function archivedSince(
  { source, systems, signer }: Opened,
  values: Values,
  since: string
): Promise<AuditEvent[]> {
  const archives = (await basics(source, sealsSearch(systems).replace('audit-seal', 'audit-archive')))
    .flatMap((basic) => archiveIn(systems, basic) ?? [])
    .filter(({ manifest }) => manifest.day >= since.slice(0, 10));
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

async function report(values: Values, kind: string | undefined, patient?: string): Promise<number> {
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

async function disclosures(values: Values, name: string | undefined): Promise<number> {
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
  const patient = (page.entry?.[0]?.resource as Basic | undefined)?.subject?.reference;
  if (!patient) {
    throw new Refusal(`nobody was ever known as ${name}`, 'The replica’s Patient.identifier holds the token.');
  }
  return report(values, 'disclosures', patient);
}

async function audit(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(args, OPTIONS, USAGE);
  const [command, name] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  switch (command) {
    case 'verify':
      return verify(values);
    case 'export':
      return exportDays(values);
    case 'restore':
      return restore(values);
    case 'report':
      return report(values, name);
    case 'disclosures':
      return disclosures(values, name);
    case 'public-key':
      console.log(
        keysOf({}, (await open()).signer)
          .join('')
          .trimEnd()
      );
      return 0;
    default:
      throw new Refusal(command ? `there is no command "${command}"` : 'no command', USAGE);
  }
}

await runCommand(audit);
