/** What changed since the last sweep, by `_lastUpdated`: repairs what no event, or a failed one, has brought over. */
import type { Basic, Bundle, Consent, Reference, Resource } from '@medplum/fhirtypes';
import { isReplicated, REPLICATED_TYPES } from '../../config/policy.ts';
import { faultCodeOf } from '../../observability/fault.ts';
import { add, NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import { enqueue } from '../../queue/store.io.ts';
import type { Deps } from '../deps.ts';
import { changesSearch, checkpointOf, checkpointSearch, watermarksOf } from '../checkpoint.ts';
import { hintOf } from './facts.ts';
import type { Hint } from './facts.ts';
import { recheckOrder } from './orders.ts';
import { PAGE_SIZE, syncPage } from './page.io.ts';
import { syncPatient } from './patient.io.ts';
import { judge, passGate } from './postpone.io.ts';
import { outdated } from './renew.io.ts';

/** What a sweep did; `isComplete` is false when its time ran out, and the next run goes on from there. */
export interface Swept extends Tally {
  readonly isComplete: boolean;
  /** Why nothing was delivered: `paused`, or the code of the fault that opened the breaker. */
  readonly held?: string;
}

/** A patient whose every record has to be looked at, or some of whose records have changed. */
type Work = Map<string, Hint[] | 'everything'>;

/**
 * Runs one sweep.
 *
 * @param deps - The run.
 * @returns What was done.
 * @throws Fault when either server cannot be reached. The watermark of a type moves only over pages that were done.
 */
export async function sweep(deps: Deps): Promise<Swept> {
  const { config, source, clock } = deps;
  const startedAt = new Date(clock.now()).toISOString();
  const held = await passGate(deps, { isPatient: false });
  if (held !== undefined) {
    return { ...NOTHING, isComplete: false, held };
  }
  const seen = new Set<string>();
  const saved = (await source.search(checkpointSearch(config.systems))).entry?.[0]?.resource as Basic | undefined;
  const watermarks = { ...watermarksOf(config.systems, saved) };
  let total = NOTHING;
  let isComplete = true;

  const feeds = ['Consent' as const, ...REPLICATED_TYPES].flatMap((type) => [
    { type, isDeleted: false },
    { type, isDeleted: true },
  ]);
  for (const { type, isDeleted } of feeds) {
    const name = isDeleted ? `${type}-deleted` : type;
    let url: string | undefined = changesSearch(type, watermarks[name], config.sweepOverlapMs, isDeleted);
    while (url && isComplete) {
      const page = await source.search(url);
      const rows = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
      const repaired = await repair(deps, isDeleted ? await lastVersions(deps, rows) : rows, seen);
      total = add(total, repaired.tally);
      isComplete = repaired.isDone;
      if (!isComplete) {
        // What of the page is equal by now costs the next run next to nothing.
        break;
      }
      url = page.link?.find(({ relation }) => relation === 'next')?.url;
      // A feed that was read to its end is covered up to the start of this run, one that was not up to its last row.
      watermarks[name] = (url ? rows.at(-1)?.meta?.lastUpdated : startedAt) ?? startedAt;
      if (url) {
        await source.save(checkpointOf(config.systems, watermarks));
      }
    }
  }
  const renewed = isComplete ? await renew(deps) : { tally: NOTHING, isDone: false };
  total = add(total, renewed.tally);
  isComplete = renewed.isDone;
  await source.save(checkpointOf(config.systems, watermarks));
  deps.log('info', 'sweep-finished', {
    put: total.put,
    withdrawn: total.withdrawn,
    unchanged: total.unchanged,
    failed: total.failed,
  });
  return { ...total, isComplete };
}

/** What was repaired, and whether there was time for all of it. */
interface Repaired {
  readonly tally: Tally;
  readonly isDone: boolean;
}

/** A piece of work, and whose record it is about. */
interface Repair {
  readonly patientId: string;
  readonly work: () => Promise<Tally>;
}

/** Does one piece of work after the other while there is time: a run stops between them, never in one. */
async function inTime(deps: Deps, works: Iterable<Repair>): Promise<Repaired> {
  let tally = NOTHING;
  for (const work of works) {
    if (deps.clock.now() >= deps.deadlineAt) {
      return { tally, isDone: false };
    }
    tally = add(tally, await tolerant(deps, work));
  }
  return { tally, isDone: true };
}

/** Originals under the payload key before the present one. */
async function renew(deps: Deps): Promise<Repaired> {
  const done = new Set<string>();
  let tally = NOTHING;
  for (let left = await outdated(deps, done); left.length > 0; left = await outdated(deps, done)) {
    const works = left.map(({ patientId, hints }): Repair => ({
      patientId,
      work: async () => syncPage(deps, patientId, hints),
    }));
    const renewed = await inTime(deps, works);
    tally = add(tally, renewed.tally);
    if (!renewed.isDone) {
      return { tally, isDone: false };
    }
  }
  return { tally, isDone: true };
}

/** `seen` are the patients of whom this run has already looked at everything: other feeds name them again. */
async function repair(deps: Deps, rows: readonly Resource[], seen: Set<string>): Promise<Repaired> {
  const works = [...workOf(rows)]
    .filter(([patientId]) => !seen.has(patientId))
    .flatMap(([patientId, hints]): Repair[] => {
      if (hints === 'everything') {
        const work = async (): Promise<Tally> => {
          seen.add(patientId);
          return syncPatient(deps, patientId);
        };
        return [{ patientId, work }];
      }
      const pages = Array.from({ length: Math.ceil(hints.length / PAGE_SIZE) }, (_, page) => page * PAGE_SIZE);
      return pages.map((from) => ({
        patientId,
        work: async () => syncPage(deps, patientId, hints.slice(from, from + PAGE_SIZE)),
      }));
    });
  return inTime(deps, works);
}

/**
 * One patient whose record will not settle must not keep all others from being repaired; one for whom there was no time left is
 * gone on with by `retry-jobs`.
 */
async function tolerant(deps: Deps, { patientId, work }: Repair): Promise<Tally> {
  try {
    return await work();
  } catch (error) {
    const code = faultCodeOf(error);
    if (code !== 'contention' && code !== 'deadline') {
      await judge(deps, error);
      throw error;
    }
    await enqueue(deps, { ...recheckOrder(patientId, deps.clock.now()), reason: code });
    return code === 'deadline' ? NOTHING : { ...NOTHING, failed: 1, reasons: { contention: 1 } };
  }
}

function workOf(rows: readonly Resource[]): Work {
  const work: Work = new Map();
  for (const row of rows) {
    if (row.resourceType === 'Consent' || row.resourceType === 'Patient') {
      const id = row.resourceType === 'Patient' ? row.id : patientOfConsent(row);
      if (id) {
        work.set(id, 'everything');
      }
    } else if (isReplicated(row)) {
      const { patientId, hint } = hintOf(row);
      const sofar = patientId ? (work.get(patientId) ?? []) : 'everything';
      if (patientId && sofar !== 'everything') {
        work.set(patientId, [...sofar, hint]);
      }
    }
  }
  return work;
}

/**
 * @param consent - A Consent.
 * @returns The id of its Patient.
 */
export function patientOfConsent(consent: Consent): string | undefined {
  return patientIn(consent.patient);
}

function patientIn(reference: Reference | undefined): string | undefined {
  return /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference?.reference ?? '')?.[1];
}

/** The feed of deleted rows has only ids (`platform.md` §5.8); whose they were stands in their history. */
async function lastVersions({ source }: Deps, rows: readonly Resource[]): Promise<Resource[]> {
  const found: Resource[] = [];
  for (let from = 0; from < rows.length; from += PAGE_SIZE) {
    const urls = rows.slice(from, from + PAGE_SIZE).map(({ resourceType, id }) => `${resourceType}/${id}/_history`);
    for (const { resource } of await source.read(urls)) {
      const versions = (resource as Bundle | undefined)?.entry ?? [];
      found.push(...versions.flatMap((entry) => entry.resource ?? []).slice(0, 1));
    }
  }
  return found;
}
