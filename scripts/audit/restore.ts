/** `restore`: brings the events of an archive back, as new events that say which they were; what is there stays. */
import type { AuditEvent, BundleEntry } from '@medplum/fhirtypes';
import { eventsIn, verifyArchive } from '../../src/flows/audit/archive.ts';
import { eventsOf } from '../../src/flows/audit/day.io.ts';
import { parts } from '../../src/flows/audit/parts.ts';
import { Refusal } from '../deploy/server.ts';
import { readArchive } from './files.ts';
import type { Values } from './options.ts';
import { eventsById, keysOf, open } from './trail.ts';
import type { Opened } from './trail.ts';
import { tell } from './verify.ts';

/** Events in one transaction: a hundred of ours are less than half of the megabyte that a Bundle may have. */
const AT_ONCE = 100;

/** @returns The exit code. */
export async function restore(values: Values): Promise<number> {
  const opened = await open();
  let restored = 0;
  for (const path of values.archive ?? []) {
    const { file, ndjson } = readArchive(path);
    const found = verifyArchive(file.manifest, file.signature, ndjson, keysOf(values, opened.signer));
    if (found.length > 0) {
      return tell(found, path);
    }
    const events = eventsIn(ndjson) ?? [];
    const missing = await missingOf(opened, events);
    for (let from = 0; from < missing.length; from += AT_ONCE) {
      await store(opened, missing.slice(from, from + AT_ONCE));
    }
    restored += missing.length;
    console.log(`${path}: ${events.length} events verified.`);
  }
  console.log(`${restored} restored; the others are there.`);
  return 0;
}

/** Those that are there neither as themselves nor as restored ones. */
async function missingOf({ source, systems }: Opened, events: readonly AuditEvent[]): Promise<AuditEvent[]> {
  const ids = events.map(({ id = '' }) => id);
  const there = new Set((await eventsById(source, ids)).map(({ id }) => id));
  for (const some of parts(ids.filter((id) => !there.has(id)))) {
    const tags = some.map((id) => encodeURIComponent(`${systems.restored}|${id}`)).join(',');
    for (const { meta } of await eventsOf(source, `AuditEvent?_tag=${tags}&_count=1000`)) {
      there.add(meta?.tag?.find(({ system }) => system === systems.restored)?.code);
    }
  }
  return events.filter(({ id }) => !there.has(id));
}

async function store({ source, systems }: Opened, events: readonly AuditEvent[]): Promise<void> {
  const entries = events.map(({ id, meta, ...content }): BundleEntry => {
    const tag = [...(meta?.tag ?? []), { system: systems.restored, code: id ?? '' }];
    return { resource: { ...content, meta: { tag } }, request: { method: 'POST', url: 'AuditEvent' } };
  });
  const { kind } = await source.commit(entries);
  if (kind !== 'stored') {
    throw new Refusal(
      'the source does not take the events back',
      'Nothing of this hundred was stored; what came before was.'
    );
  }
}
