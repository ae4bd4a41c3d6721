/** Pulls what a partner exports, each few weeks or when asked, over as many runs of the bot as it takes. */
import type { Basic } from '@medplum/fhirtypes';
import { Fault, faultCodeOf, sourceFault } from '../../../observability/fault.ts';
import { runEventOf } from '../../../observability/run-trail.ts';
import type { PullDeps } from './deps.ts';
import type { PauseFault } from './export.io.ts';
import { giveBack, kickOff, poll } from './export.io.ts';
import { isDue, nextScope, pauseAfter } from './exports.ts';
import { FileReader } from './files.io.ts';
import { answerOf, pullEventOf } from './report.ts';
import type { PullAnswer } from './report.ts';
import { begun, isOpen, pullBasic, pullIn, pullSearch } from './state.ts';
import type { PullScope, PullState, SavedPull } from './state.ts';

/** A run of the bot that was killed holds its lease a little longer than it could have lived: bots have at most 300 s. */
const LEASE_MS = 315_000;
/** What the partner asks to wait is waited for within a run up to this; longer, the next run goes on. */
const PATIENCE_MS = 30_000;
/** With pauses that double from half a minute to an hour: eight hours. */
const MOST_FAILURES = 15;

/** What an ADMIN may ask for. */
export interface Ask {
  /** Everything, whatever was pulled before. */
  readonly full?: boolean | undefined;
  readonly since?: string | undefined;
  readonly types?: readonly string[] | undefined;
  /** How long the run may work, in seconds. */
  readonly seconds?: number | undefined;
}

/**
 * Each few minutes: goes on with the open pull, or begins the next when it is due.
 *
 * @param deps - The run of the bot.
 * @returns How far it is; undefined when there is nothing to do.
 * @throws Fault `source-*`; what stands in the way at the partner is in the answer, and tried again.
 */
export async function tick(deps: PullDeps): Promise<PullAnswer | undefined> {
  const { partner, clock } = deps;
  const saved = await savedPull(deps);
  if (saved && isOpen(saved.state)) {
    return saved.leasedUntil <= clock.now() ? goOn(deps, saved) : undefined;
  }
  if (!isDue(saved?.state, partner, clock.now())) {
    return undefined;
  }
  return goOn(deps, await opened(deps, saved, nextScope(partner, saved?.state.last, deps.config.sweepOverlapMs)));
}

/**
 * When asked: goes on with the open pull, or begins one.
 *
 * @param deps - The run of the bot.
 * @param ask - What to pull; nothing of it counts for a pull that is open.
 * @returns How far it is.
 * @throws Fault `contention` when another run of the bot works on it; `source-*`.
 */
export async function pull(deps: PullDeps, ask: Ask): Promise<PullAnswer> {
  const { clock, partner, config } = deps;
  const until = ask.seconds === undefined ? deps.deadlineAt : clock.now() + ask.seconds * 1000;
  const limited = { ...deps, deadlineAt: Math.min(deps.deadlineAt, until) };
  const saved = await savedPull(deps);
  if (saved && isOpen(saved.state)) {
    const answer = saved.leasedUntil <= clock.now() ? await goOn(limited, saved) : undefined;
    if (!answer) {
      throw new Fault('contention', ['another run works on it']);
    }
    return answer;
  }
  const usual = nextScope(
    { ...partner, types: ask.types ?? partner.types },
    ask.full ? undefined : saved?.state.last,
    config.sweepOverlapMs
  );
  const scope = { ...usual, ...(ask.since !== undefined && { since: ask.since }) };
  const answer = await goOn(limited, await opened(deps, saved, scope));
  if (!answer) {
    throw new Fault('contention');
  }
  return answer;
}

/**
 * @param deps - The run of the bot.
 * @returns How far the last pull is, or how it ended; undefined before the first.
 */
export async function statusOf(deps: PullDeps): Promise<PullAnswer | undefined> {
  const saved = await savedPull(deps);
  return saved && answerOf(saved.state);
}

/**
 * Gives the open pull up, and the export back to the partner.
 *
 * @param deps - The run of the bot.
 * @returns How far it had come; undefined when none is open.
 * @throws Fault `contention` when another run of the bot works on it.
 */
export async function cancel(deps: PullDeps): Promise<PullAnswer | undefined> {
  const saved = await savedPull(deps);
  if (!saved || !isOpen(saved.state)) {
    return saved && answerOf(saved.state);
  }
  const state = saved.leasedUntil <= deps.clock.now() ? await leased(deps, saved) : undefined;
  if (!state) {
    throw new Fault('contention', ['another run works on it']);
  }
  await giveBack(deps, state);
  const ended: PullState = { ...without(state), phase: 'cancelled', endedAt: deps.clock.now() };
  await discard(deps, state, ended);
  return finish(deps, ended);
}

async function savedPull({ source, config }: PullDeps): Promise<SavedPull | undefined> {
  const { entry = [] } = await source.search(pullSearch(config.systems));
  return pullIn(config.systems, entry[0]?.resource as Basic | undefined);
}

/** In the place of the one before, if there is one. Who is second finds the first one's, and works on that. */
async function opened(deps: PullDeps, before: SavedPull | undefined, scope: PullScope): Promise<SavedPull> {
  const { source, config, clock, correlationId } = deps;
  const state = begun({ runId: correlationId, startedAt: clock.now(), scope, last: before?.state.last });
  const basic = pullBasic(config.systems, state, 0);
  if (before) {
    await source.replace({ ...basic, id: before.id }, before.versionId);
  } else {
    await source.ensure(basic);
  }
  const saved = await savedPull(deps);
  if (!saved || !isOpen(saved.state)) {
    throw new Fault('contention');
  }
  return saved;
}

/** The lease is taken with `If-Match`: of two runs of the bot one gets it. */
async function leased({ source, config, clock }: PullDeps, saved: SavedPull): Promise<PullState | undefined> {
  const state = { ...saved.state, runs: saved.state.runs + 1 };
  const basic = { ...pullBasic(config.systems, state, clock.now() + LEASE_MS), id: saved.id };
  return (await source.replace(basic, saved.versionId)) ? state : undefined;
}

async function goOn(deps: PullDeps, saved: SavedPull): Promise<PullAnswer | undefined> {
  const { source, config, clock } = deps;
  await requirePartner(deps);
  const taken = await leased(deps, saved);
  if (!taken) {
    return undefined;
  }
  const leasedUntil = clock.now() + LEASE_MS;
  let last = taken;
  const save = async (state: PullState): Promise<void> => {
    const before = last;
    last = state;
    await source.save(pullBasic(config.systems, state, leasedUntil));
    await discard(deps, before, state);
  };
  try {
    return await finish(deps, await advance(deps, taken, save));
  } catch (error) {
    // The next tick need not wait for the lease to end. If this fails as well, it does.
    await source.save(pullBasic(config.systems, last, 0)).catch(() => undefined);
    throw error;
  }
}

/** In whose name nobody could be, nothing is taken. */
async function requirePartner({ source, partner }: PullDeps): Promise<void> {
  const [found] = await source.read([`Organization/${partner.organizationId}`]);
  const isThere = found?.resource?.resourceType === 'Organization' && found.resource.active !== false;
  if (found && !isThere && (found.status < 300 || found.status === 404 || found.status === 410)) {
    throw new Fault('settings-invalid', ['PARTNER_ORGANIZATION is no active Organization of the source']);
  }
  if (!isThere) {
    throw sourceFault(found?.status ?? 0);
  }
}

/** A manifest that nothing leads to any more. If this fails, it stays: sealed, and good for nothing. */
async function discard({ source }: PullDeps, before: PullState, after: PullState): Promise<void> {
  if (before.manifest !== undefined && before.manifest !== after.manifest) {
    await source.discard(before.manifest).catch(() => undefined);
  }
}

/** Writes down how far it is, and tells of one that has ended. */
async function finish(deps: PullDeps, state: PullState): Promise<PullAnswer> {
  const { source, config, clock, bot, requester, partner, log } = deps;
  if (!isOpen(state)) {
    const event = pullEventOf(state, { bot, requester, organizationId: partner.organizationId, at: clock.now() });
    await source.record(runEventOf(event, config.systems));
  }
  await source.save(pullBasic(config.systems, state, 0));
  const answer = answerOf(state);
  const { created = 0, updated = 0, unchanged = 0, refused = 0 } = answer.total;
  log(state.phase === 'failed' ? 'error' : 'info', 'partner-pulled', {
    action: state.phase,
    put: created + updated,
    unchanged,
    failed: refused,
    ...(state.fault !== undefined && { fault: state.fault }),
  });
  return answer;
}

/** Step by step, until it has ended, the partner wants to be left alone for longer, or the time is over. */
async function advance(deps: PullDeps, from: PullState, save: (state: PullState) => Promise<void>): Promise<PullState> {
  const { clock } = deps;
  const reader = new FileReader(deps);
  let state = from;
  while (isOpen(state) && clock.now() < deps.deadlineAt) {
    const wait = state.nextAt - clock.now();
    if (wait > PATIENCE_MS || state.nextAt >= deps.deadlineAt) {
      return state;
    }
    if (wait > 0) {
      await clock.sleep(wait);
    }
    let reached = state;
    const note = async (next: PullState): Promise<void> => {
      reached = next;
      await save(next);
    };
    try {
      state = await step(deps, reader, state, note);
    } catch (error) {
      state = afterFault(reached, error, clock.now());
    }
    await save(state);
  }
  return state;
}

async function step(
  deps: PullDeps,
  reader: FileReader,
  state: PullState,
  save: (state: PullState) => Promise<void>
): Promise<PullState> {
  switch (state.phase) {
    case 'start':
      return { ...(await kickOff(deps, state)), failures: 0 };
    case 'wait':
      return { ...(await poll(deps, state)), failures: 0 };
    case 'files':
      return reader.step(state, save);
    default:
      return state;
  }
}

/** What stands in the way at the partner is tried again later, what it refuses is not; all else is for the run to tell. */
function afterFault(state: PullState, error: unknown, now: number): PullState {
  const code = faultCodeOf(error);
  if (!code?.startsWith('partner-')) {
    throw error;
  }
  const failures = state.failures + 1;
  const [detail] = (error as Fault).details;
  const said = { failures, fault: code, ...(detail !== undefined && { detail }) };
  // Who may not even begin needs a person; an export that is there already is worth some patience.
  const isRefused = code === 'partner-rejected' || (code === 'partner-unauthorised' && state.phase === 'start');
  if (isRefused || failures >= MOST_FAILURES) {
    return { ...without(state), ...said, phase: 'failed', endedAt: now };
  }
  return { ...state, ...said, nextAt: now + pauseAfter(failures, (error as Partial<PauseFault>).waitMs) };
}

/** Without what leads to the export. */
function without(state: PullState): PullState {
  const { manifest: _manifest, status: _status, etag: _etag, ...rest } = state;
  return rest;
}
