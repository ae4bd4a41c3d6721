/**
 * Moves days that are old enough into signed archives. Nothing is deleted that is not archived and verified: an event goes only
 * when the archive, read back, holds its very content. Each step looks at what is there, so a run that ended anywhere is
 * taken up by the next: an archive without its record is made again, deletes are repeated without effect.
 */
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import type { Signer } from '../../observability/signer.ts';
import { archiveBasic, archiveIn, archivesSearch, eventsIn, manifestOf, ndjsonOf, verifyArchive } from './archive.ts';
import type { Archive, Manifest } from './archive.ts';
import { eventsOfDay } from './day.io.ts';
import type { SealDeps } from './deps.ts';
import { dayAfter, dayOf, lineOf, parsed, sealIn, sealsSearch } from './seal.ts';
import type { SignedSeal } from './seal.ts';
import { verifyDay, verifySeals } from './verify.ts';

/** What a run did. */
export interface Retained {
  readonly archived: number;
  readonly deleted: number;
  /** Archives that were older than they are kept. */
  readonly expired: number;
  /** Days that are not as they were sealed, or whose archive is not: they are left as they are. */
  readonly withheld: readonly string[];
  readonly isComplete: boolean;
}

/** Deletes in one transaction. */
const AT_A_TIME = 100;

/**
 * @param deps - The run.
 * @returns What was done; nothing without a key.
 * @throws Fault `source-*`
 */
export async function retain(deps: SealDeps): Promise<Retained> {
  const { source, config, clock, deadlineAt, signer, log } = deps;
  const { systems, audit } = config;
  const total = { archived: 0, deleted: 0, expired: 0 };
  const withheld: string[] = [];
  if (!signer) {
    return { ...total, withheld, isComplete: true };
  }
  const cutoff = dayAfter(dayOf(clock.now()), -audit.retentionDays);
  const expiry = dayAfter(dayOf(clock.now()), -Math.round(audit.archiveYears * 365.25));
  const seals = (await basics(deps, sealsSearch(systems))).flatMap((basic) => sealIn(systems, basic) ?? []);
  const archives = await basics(deps, archivesSearch(systems));
  const known = new Map(archives.flatMap((basic) => entryOf(deps, basic)));
  let isComplete = true;
  for (const signed of seals.filter(({ seal }) => seal.day < cutoff && seal.count > 0)) {
    const { day } = signed.seal;
    if (clock.now() >= deadlineAt) {
      isComplete = false;
      break;
    }
    const kept = known.get(day);
    if (kept && day < expiry) {
      total.expired += await expire(deps, kept);
      continue;
    }
    const events = await eventsOfDay(source, systems, day);
    if (events.length === 0 && kept) {
      continue;
    }
    const archive = kept ?? (await archiveDay(deps, signer, signed, events));
    total.archived += archive && !kept ? 1 : 0;
    const gone = archive && (await deleteArchived(deps, signer, archive, events));
    if (gone === undefined) {
      withheld.push(day);
    } else {
      total.deleted += gone;
    }
  }
  log(withheld.length > 0 ? 'error' : 'info', 'audit-retained', { ...total, errors: withheld.length });
  return { ...total, withheld, isComplete };
}

async function basics({ source }: SealDeps, first: string): Promise<Basic[]> {
  const found: Basic[] = [];
  for (let url: string | undefined = first; url;) {
    const page = await source.search(url);
    found.push(...(page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'Basic' ? [resource] : [])));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found;
}

function entryOf({ config }: SealDeps, basic: Basic): [string, Archive][] {
  const archive = archiveIn(config.systems, basic);
  return archive ? [[archive.manifest.day, archive]] : [];
}

/** @returns The archive; undefined when the day is not as it was sealed. */
async function archiveDay(
  { source, config, clock, bot }: SealDeps,
  signer: Signer,
  signed: SignedSeal,
  events: readonly AuditEvent[]
): Promise<Archive | undefined> {
  const list = await source.load(signed.list);
  const problems = [...verifySeals([signed], [signer.publicKey], false), ...verifyDay(signed, list, events)];
  if (problems.length > 0) {
    return undefined;
  }
  const ndjson = ndjsonOf(events);
  const { text, signature } = manifestOf(signed, ndjson, signer, clock.now());
  const manifest = parsed<Manifest>(text) as Manifest;
  const reference = await source.store(ndjson, 'application/fhir+ndjson', bot);
  const archive = { manifest, text, signature, ndjson: reference, list: signed.list };
  return archiveIn(config.systems, await source.ensure(archiveBasic(config.systems, archive)));
}

/** @returns How many were deleted; undefined when the archive is not what was sealed. */
async function deleteArchived(
  { source }: SealDeps,
  signer: Signer,
  archive: Archive,
  events: readonly AuditEvent[]
): Promise<number | undefined> {
  const ndjson = await source.load(archive.ndjson);
  if (verifyArchive(archive.text, archive.signature, ndjson, [signer.publicKey]).length > 0) {
    return undefined;
  }
  const held = new Set((eventsIn(ndjson ?? '') ?? []).map(lineOf));
  const doomed = events.filter((event) => held.has(lineOf(event))).map(({ id }) => `AuditEvent/${id}`);
  for (let from = 0; from < doomed.length; from += AT_A_TIME) {
    await source.remove(doomed.slice(from, from + AT_A_TIME));
  }
  return doomed.length === events.length ? doomed.length : undefined;
}

/** The events of an archive that is older than it is kept; its seal stays, and so does the record that there was one. */
async function expire({ source }: SealDeps, { ndjson }: Archive): Promise<number> {
  if ((await source.load(ndjson)) === undefined) {
    return 0;
  }
  await source.discard(ndjson);
  return 1;
}
