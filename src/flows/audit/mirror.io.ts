/**
 * Copies the AuditEvents of the replica into the source: each exactly once, whatever crashes, and however many run.
 *
 * A run reads the state (one Basic, in version v), then a page of the replica, then looks which of its events are stored, then
 * stores the others in transactions. Each transaction also replaces the state under `If-Match`, with the watermark that is true
 * once it is committed. From that follows, at every step at which a run may crash:
 *
 * - before a transaction: nothing of it is stored, and the watermark says so;
 * - in it: the source commits all or nothing;
 * - after it, before its answer: events and watermark are stored; who repeats it holds an old version, is refused with 412,
 *   and looks again.
 *
 * None twice: what was stored before v was read is found by the look, and what was stored after it has changed v, so the
 * transaction is refused. None lost: the watermark passes an event only in the transaction that stores it, or over one that was
 * found stored; and what becomes visible late lies within the overlap, which every run reads again, because a row is visible at
 * the latest a minute after its `lastUpdated` (`platform.md` §4.8) and the overlap is two. The lease only saves work.
 */
import type { AuditEvent, Bundle } from '@medplum/fhirtypes';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import { withMac } from '../../observability/event-mac.ts';
import { runEventOf } from '../../observability/run-trail.ts';
import { readMirrorAsk } from './ask.ts';
import type { MirrorAsk } from './ask.ts';
import { chunksOf } from './chunk.ts';
import type { Pending } from './chunk.ts';
import type { MirrorDeps } from './deps.ts';
import { claim, commit, readFence, release } from './fence.io.ts';
import type { Fence } from './fence.io.ts';
import { isOfTheTrail, mirrorOf, residueOf } from './map.ts';
import { parts } from './parts.ts';
import { nextPlace } from './place.ts';
import type { Place } from './place.ts';
import { resolve } from './resolve.io.ts';
import { withRun } from './state.ts';
import type { MirrorState } from './state.ts';

/** The seeds' `MirrorResult`, and whether the run came to the end of the trail. */
export interface MirrorResult {
  readonly startTime: string;
  readonly endTime: string;
  readonly durationMs: number;
  readonly fetched: number;
  readonly mirrored: number;
  /** Stored before, or of the trail itself. */
  readonly skipped: number;
  /** Stored without their details, because the source refused them in full. */
  readonly errors: number;
  readonly lastSyncedAt: string | undefined;
  readonly isComplete: boolean;
  /** Another run was at work. */
  readonly isBusy?: true;
}

interface Counts {
  fetched: number;
  mirrored: number;
  skipped: number;
  errors: number;
}

/** Thrown within a run that has lost its fence to another. */
class Overtaken extends Error {}

/**
 * Runs one mirror.
 *
 * @param deps - The run.
 * @param input - `limit` and `forceSince`, or nothing.
 * @returns What was done. It stops at its deadline or limit, and the next run goes on from there.
 * @throws Fault `input-invalid`; `source-*`, `replica-*`, after what was stored until then is counted.
 */
export async function mirror(deps: MirrorDeps, input: unknown): Promise<MirrorResult> {
  const ask = readMirrorAsk(input);
  const startedAt = deps.clock.now();
  const counts: Counts = { fetched: 0, mirrored: 0, skipped: 0, errors: 0 };
  const fence = await claim(deps);
  if (!fence) {
    return resultOf(deps, startedAt, counts, (await readFence(deps)).state, { isComplete: false, isBusy: true });
  }
  const run = new Run(deps, ask, fence, counts);
  try {
    const isComplete = await run.all();
    await end(deps, run.fence, startedAt, counts, undefined);
    return resultOf(deps, startedAt, counts, run.fence.state, { isComplete });
  } catch (error) {
    if (error instanceof Overtaken) {
      return resultOf(deps, startedAt, counts, run.fence.state, { isComplete: false, isBusy: true });
    }
    if (isThrottled(error)) {
      await end(deps, run.fence, startedAt, counts, undefined);
      return resultOf(deps, startedAt, counts, run.fence.state, { isComplete: false });
    }
    // What stopped the run is told as it is, even if the end cannot be written either.
    await end(deps, run.fence, startedAt, { ...counts, errors: counts.errors + 1 }, error).catch(() => undefined);
    throw error;
  }
}

/** The quota of a minute is used up: that is no error, and the next run goes on. */
function isThrottled(error: unknown): boolean {
  const code = faultCodeOf(error);
  return (
    code === 'replica-throttled' || (code === 'source-unavailable' && (error as Fault).details.includes('status 429'))
  );
}

/** One pass over the trail of the replica. */
class Run {
  fence: Fence;
  readonly #deps: MirrorDeps;
  readonly #ask: MirrorAsk;
  readonly #counts: Counts;
  /** A run that was told to begin after the watermark must not carry it over what it leaves out. */
  readonly #moves: boolean;

  constructor(deps: MirrorDeps, ask: MirrorAsk, fence: Fence, counts: Counts) {
    this.fence = fence;
    this.#deps = deps;
    this.#ask = ask;
    this.#counts = counts;
    const { watermark } = fence.state;
    const { forceSince } = ask;
    this.#moves = forceSince === undefined || (watermark !== undefined && forceSince <= Date.parse(watermark));
  }

  /** @returns Whether the end of the trail was reached. */
  async all(): Promise<boolean> {
    const { trail, clock, deadlineAt } = this.#deps;
    let place: Place | undefined = { since: this.#from(), offset: 0 };
    let seen: ReadonlySet<string> = new Set();
    while (place) {
      if (clock.now() >= deadlineAt) {
        return false;
      }
      const page: readonly AuditEvent[] = await trail.page(place.since, place.offset);
      const rows = page.filter(({ id }) => !seen.has(id ?? ''));
      this.#counts.fetched += rows.length;
      if (!(await this.#store(rows))) {
        return false;
      }
      seen = new Set(page.map(({ id }) => id ?? ''));
      place = nextPlace(place, page);
    }
    return true;
  }

  #from(): string | undefined {
    const { watermark } = this.fence.state;
    const since = this.#ask.forceSince ?? (watermark && Date.parse(watermark) - this.#deps.config.sweepOverlapMs);
    return since === undefined || since === '' ? undefined : new Date(since).toISOString();
  }

  /** @returns False when the limit or the deadline came first. */
  async #store(rows: readonly AuditEvent[]): Promise<boolean> {
    const { config, clock, deadlineAt } = this.#deps;
    const { systems, replica } = config;
    for (let tries = 1; ; tries++) {
      const known = await this.#known(rows);
      const fresh = rows.filter((row) => !known.has(row.id ?? '') && !isOfTheTrail(row, systems, replica.clientId));
      const left = this.#ask.limit === undefined ? fresh.length : this.#ask.limit - this.#counts.mirrored;
      const wanted = fresh.slice(0, left);
      const resolution = await resolve(this.#deps, wanted);
      const pending = wanted.map((origin): Pending => ({
        origin,
        event: this.#sealed(mirrorOf(origin, resolution, systems, replica.fhirUrl)),
      }));
      let isOurs = true;
      for (const chunk of chunksOf(pending)) {
        if (clock.now() >= deadlineAt) {
          return false;
        }
        isOurs = await this.#commit(chunk);
        if (!isOurs) {
          break;
        }
      }
      if (!isOurs) {
        await this.#again(tries);
        continue;
      }
      if (wanted.length < fresh.length) {
        return false;
      }
      this.#counts.skipped += rows.length - fresh.length;
      this.#pass(rows.at(-1));
      return true;
    }
  }

  /** What is behind is stored; it is written down with the next transaction, or at the end. */
  #pass(row: AuditEvent | undefined): void {
    this.fence = { ...this.fence, state: this.#moved(row) };
  }

  #moved(row: AuditEvent | undefined): MirrorState {
    const { state } = this.fence;
    const at = row?.meta?.lastUpdated;
    return this.#moves && at && at > (state.watermark ?? '') ? { ...state, watermark: at } : state;
  }

  /** One request for a page of ids: a transaction costs no less for looking first, and what is stored is never stored again. */
  async #known(rows: readonly AuditEvent[]): Promise<ReadonlySet<string>> {
    const { mirrored } = this.#deps.config.systems;
    const urls = parts(rows).map((part) => {
      const tags = part.map(({ id }) => encodeURIComponent(`${mirrored}|${id}`)).join(',');
      return `AuditEvent?_tag=${tags}&_fields=meta&_count=1000`;
    });
    const answers = urls.length > 0 ? await this.#deps.source.read(urls) : [];
    const found = answers.flatMap(({ resource, status }) => {
      if (resource?.resourceType !== 'Bundle') {
        throw new Fault('source-incomplete', [`status ${status}`]);
      }
      return (resource as Bundle<AuditEvent>).entry ?? [];
    });
    return new Set(
      found.flatMap(({ resource }) =>
        (resource?.meta?.tag ?? []).flatMap(({ system, code }) => (system === mirrored && code ? [code] : []))
      )
    );
  }

  #sealed(event: AuditEvent): AuditEvent {
    const { signer, config } = this.#deps;
    return signer ? withMac(event, config.systems, signer.mac) : event;
  }

  /**
   * Stores a chunk. What the source refuses is divided until the event that it refuses stands alone; that one is stored without
   * its details.
   *
   * @returns False when the fence is lost.
   */
  async #commit(chunk: readonly Pending[], isBare = false): Promise<boolean> {
    try {
      const moved = this.#moved(chunk.at(-1)?.origin);
      const state = { ...moved, totalMirrored: moved.totalMirrored + chunk.length };
      const next = await commit(
        this.#deps,
        this.fence,
        state,
        chunk.map(({ event }) => event)
      );
      if (!next) {
        return false;
      }
      this.fence = next;
      this.#counts.mirrored += chunk.length;
      this.#counts.errors += isBare ? chunk.length : 0;
      return true;
    } catch (error) {
      if (faultCodeOf(error) !== 'source-refused' || isBare) {
        throw error;
      }
    }
    if (chunk.length > 1) {
      const middle = chunk.length >> 1;
      return (await this.#commit(chunk.slice(0, middle))) && this.#commit(chunk.slice(middle));
    }
    const { systems, replica } = this.#deps.config;
    const bare = chunk.map(({ origin }) => ({
      origin,
      event: this.#sealed(residueOf(origin, systems, replica.fhirUrl)),
    }));
    return this.#commit(bare, true);
  }

  /** The answer to a transaction of ours may have been lost: while the lease is ours, the page is looked at again. */
  async #again(tries: number): Promise<void> {
    const mirroredBefore = this.fence.state.totalMirrored;
    const now = await readFence(this.#deps);
    if (now.state.lease?.holder !== this.#deps.correlationId || tries >= 5) {
      throw new Overtaken();
    }
    this.#counts.mirrored += now.state.totalMirrored - mirroredBefore;
    this.fence = now;
  }
}

async function end(deps: MirrorDeps, fence: Fence, startedAt: number, counts: Counts, error: unknown): Promise<void> {
  const { source, config, clock, correlationId, bot, requester, log } = deps;
  const { mirrored, skipped, errors, fetched } = counts;
  const endedAt = clock.now();
  await release(
    deps,
    fence,
    withRun(fence.state, { timestamp: new Date(endedAt).toISOString(), mirrored, skipped, errors })
  );
  log(errors > 0 ? 'warn' : 'info', 'audit-mirrored', { fetched, mirrored, skipped, errors });
  if (mirrored > 0 || errors > 0 || requester) {
    await source.record(
      runEventOf(
        {
          type: 'FHIR_AUDIT_MIRROR',
          action: 'mirror',
          correlationId,
          bot,
          requester,
          startedAt,
          endedAt,
          fault: error === undefined ? undefined : (faultCodeOf(error) ?? 'unexpected'),
          details: {
            fetched,
            mirrored,
            skipped,
            errors,
            ...(fence.state.watermark && { lastSyncedAt: fence.state.watermark }),
          },
        },
        config.systems
      )
    );
  }
}

function resultOf(
  { clock }: MirrorDeps,
  startedAt: number,
  counts: Counts,
  { watermark }: MirrorState,
  how: Pick<MirrorResult, 'isComplete' | 'isBusy'>
): MirrorResult {
  const endedAt = clock.now();
  return {
    startTime: new Date(startedAt).toISOString(),
    endTime: new Date(endedAt).toISOString(),
    durationMs: endedAt - startedAt,
    ...counts,
    lastSyncedAt: watermark,
    ...how,
  };
}
