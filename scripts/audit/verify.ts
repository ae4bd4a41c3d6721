/** `verify`: has anything of the trail been changed, removed or inserted, and where. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { verifyArchive } from '../../src/flows/audit/archive.ts';
import { verifyDay, verifySeals } from '../../src/flows/audit/verify.ts';
import type { Tampering } from '../../src/flows/audit/verify.ts';
import { checkMac } from '../../src/observability/event-mac.ts';
import type { Signer } from '../../src/observability/signer.ts';
import { readArchive } from './files.ts';
import { inRange } from './options.ts';
import type { Values } from './options.ts';
import { archivesOf, eventsAt, eventsById, keysOf, open, sealsOf } from './trail.ts';
import type { Opened } from './trail.ts';

/** What was found among the events that are not sealed yet. */
interface Loose {
  readonly found: readonly Tampering[];
  readonly events: number;
}

const NONE: Loose = { found: [], events: 0 };

/**
 * @param found - What is not as it was.
 * @param checked - What was looked at.
 * @returns The exit code: 1 when anything was found.
 */
export function tell(found: readonly Tampering[], checked: string): number {
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

/** @returns The exit code. */
export async function verify(values: Values): Promise<number> {
  if (values.archive) {
    const keys = keysOf(values, undefined);
    const found = values.archive.flatMap((path) => {
      const { file, ndjson } = readArchive(path);
      return verifyArchive(file.manifest, file.signature, ndjson, keys);
    });
    return tell(found, `${values.archive.length} archives`);
  }
  const opened = await open();
  const { source, signer } = opened;
  const seals = await sealsOf(opened);
  const archives = await archivesOf(opened);
  const found = verifySeals(seals, keysOf(values, signer), true);
  let events = 0;
  for (const signed of seals.filter(({ seal }) => inRange(values, seal.day))) {
    const there = await eventsAt(opened, signed.seal.day, archives);
    events += there.length;
    const list = await source.load(signed.list);
    const missing = (list ?? '').split('\n').flatMap((line) => line.split(' ')[1] ?? []);
    const known = new Set(there.map(({ id }) => id));
    const elsewhere = await eventsById(
      source,
      missing.filter((id) => !known.has(id))
    );
    const moved = new Set(elsewhere.map(({ id = '' }) => id));
    found.push(...verifyDay(signed, list, there, moved));
  }
  const last = seals.at(-1)?.seal.day;
  const loose = signer && (!values.to || !last || values.to > last) ? await checkUnsealed(opened, signer, last) : NONE;
  return tell(
    [...found, ...loose.found],
    `${seals.length} sealed days with ${events} events, and ${loose.events} events not sealed yet`
  );
}

/** What has no seal yet has its keyed hash. */
async function checkUnsealed({ source, systems }: Opened, signer: Signer, last: string | undefined): Promise<Loose> {
  const found: Tampering[] = [];
  let events = 0;
  const type = encodeURIComponent(`${systems.auditType}|`);
  const since = last ? `&_lastUpdated=gt${last}T23:59:59.999Z` : '';
  let url: string | undefined = `AuditEvent?type=${type}&_sort=_lastUpdated&_count=1000${since}`;
  while (url) {
    const page = await source.search(url);
    for (const { resource } of page.entry ?? []) {
      const event = resource as AuditEvent;
      events++;
      const verdict = checkMac(event, systems, signer.mac);
      const day = event.meta?.lastUpdated?.slice(0, 10) ?? '';
      if (verdict === 'bad' || verdict === 'missing') {
        found.push({ day, what: verdict === 'bad' ? 'changed' : 'inserted', id: event.id ?? '' });
      }
    }
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return { found, events };
}
