/** Everything, each night or when asked, over as many runs of the bot as it takes. */
import type { Resource } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../../config/policy.ts';
import { Fault } from '../../../observability/fault.ts';
import { reconciliationEventOf } from '../../../observability/reconciliation-trail.ts';
import { nameOf, resultOf, runBasic, runsIn, runsSearch } from '../../reconciliation.ts';
import type { Result, RunState, SavedRun, Scope } from '../../reconciliation.ts';
import type { Deps } from '../../deps.ts';
import { advance } from './advance.io.ts';
import { callOf, EVERYTHING } from './scope.ts';

const HOUR_MS = 3_600_000;
/** A run of the bot that was killed holds its lease a little longer than it could have lived: bots have at most 300 s. */
const LEASE_MS = 315_000;
/** What was only read is soon read again; what was repaired is counted once, so that is saved at once. */
const SAVE_MS = 10_000;

/** What the bot answers: how far the run is, and what a dry run would do. */
export interface Answer extends Result {
  readonly listed?: RunState['listed'];
  /** Where a dry run that is not complete goes on. */
  readonly state?: RunState;
}

/**
 * Each few minutes: goes on with every open run that nobody works on, and opens the nightly one in its hour.
 *
 * @param deps - The run of the bot.
 * @returns How far the runs are; nothing when none is open.
 * @throws Fault when either server cannot be reached. The next tick goes on.
 */
export async function tick(deps: Deps): Promise<{ readonly runs: readonly Result[] }> {
  const saved = await savedRuns(deps);
  const name = nameOf(EVERYTHING, REPLICATED_TYPES);
  const nightly = saved.get(name);
  const now = deps.clock.now();
  const open = [...saved].filter(([, { state }]) => state.phase !== 'done');
  if (isTonight(deps, nightly?.state, now) && (!nightly || nightly.state.phase === 'done')) {
    open.push([name, await opened(deps, name, nightly, EVERYTHING)]);
  }
  const runs: Result[] = [];
  for (const [each, run] of open) {
    if (run.leasedUntil <= deps.clock.now() && deps.clock.now() < deps.deadlineAt) {
      runs.push(...(await goOn(deps, each, run)));
    }
  }
  return { runs };
}

/**
 * When asked: opens a run, or goes on with the one of the same scope that is open.
 *
 * @param deps - The run of the bot.
 * @param input - See `callOf`.
 * @returns How far it is.
 * @throws Fault `input-invalid`; `contention` when another run of the bot works on it; or when either server cannot be reached.
 */
export async function reconcile(deps: Deps, input: unknown): Promise<Answer> {
  const { scope, seconds, state } = callOf(input);
  const until = seconds === undefined ? deps.deadlineAt : Math.min(deps.deadlineAt, deps.clock.now() + seconds * 1000);
  const limited = { ...deps, deadlineAt: until };
  if (scope.isDryRun) {
    const reached = await advance(limited, state ? { ...state, scope } : begun(deps, scope), () => Promise.resolve());
    const isDone = reached.phase === 'done';
    return { ...resultOf(reached, deps.clock.now()), listed: reached.listed, ...(!isDone && { state: reached }) };
  }
  const name = nameOf(scope, REPLICATED_TYPES);
  const saved = (await savedRuns(deps)).get(name);
  const run = saved && saved.state.phase !== 'done' ? saved : await opened(deps, name, saved, scope);
  const [result] = run.leasedUntil <= deps.clock.now() ? await goOn(limited, name, run) : [];
  if (!result) {
    throw new Fault('contention', ['another run works on it']);
  }
  return result;
}

async function savedRuns({ source, config }: Deps): Promise<ReadonlyMap<string, SavedRun>> {
  const page = await source.search(runsSearch(config.systems));
  return runsIn(
    config.systems,
    (page.entry ?? []).flatMap(({ resource }): Resource[] => (resource ? [resource] : []))
  );
}

/** Any tick of the hour will do, so that one that was missed is no night without. */
function isTonight({ config }: Deps, last: RunState | undefined, now: number): boolean {
  const hour = Math.floor(now / HOUR_MS);
  return hour % 24 === config.reconcileHour && (last === undefined || Math.floor(last.startedAt / HOUR_MS) < hour);
}

function begun({ clock, correlationId }: Deps, scope: Scope, rates: RunState['rates'] = {}): RunState {
  return {
    runId: correlationId,
    startedAt: clock.now(),
    scope,
    phase: 'walk',
    feed: 0,
    patients: 0,
    counts: {},
    expected: {},
    seen: [],
    errors: [],
    listed: [],
    rates,
    runs: 0,
  };
}

/** In the place of the one before, if there is one. Who is second finds the first one's, and works on that. */
async function opened(deps: Deps, name: string, before: SavedRun | undefined, scope: Scope): Promise<SavedRun> {
  const { source, config } = deps;
  const basic = runBasic(config.systems, name, begun(deps, scope, before?.state.rates), 0);
  if (before) {
    await source.replace({ ...basic, id: before.id }, before.versionId);
  } else {
    await source.ensure(basic);
  }
  const run = (await savedRuns(deps)).get(name);
  if (!run || run.state.phase === 'done') {
    throw new Fault('contention');
  }
  return run;
}

/** The lease is taken with `If-Match`: of two runs of the bot one gets it. */
async function goOn(deps: Deps, name: string, run: SavedRun): Promise<Result[]> {
  const { source, config, clock } = deps;
  const leasedUntil = clock.now() + LEASE_MS;
  const taken = { ...run.state, runs: run.state.runs + 1 };
  if (!(await source.replace({ ...runBasic(config.systems, name, taken, leasedUntil), id: run.id }, run.versionId))) {
    return [];
  }
  let last: RunState = taken;
  let saved = { at: clock.now(), effects: effectsOf(taken) };
  const save = async (state: RunState): Promise<void> => {
    last = state;
    const isDone = state.phase === 'done';
    if (isDone) {
      await record(deps, state);
    }
    if (isDone || effectsOf(state) > saved.effects || clock.now() - saved.at >= SAVE_MS) {
      saved = { at: clock.now(), effects: effectsOf(state) };
      await source.save(runBasic(config.systems, name, state, isDone ? 0 : leasedUntil));
    }
  };
  try {
    const reached = await advance(deps, taken, save);
    if (reached.phase !== 'done') {
      await source.save(runBasic(config.systems, name, reached, 0));
    }
    const result = resultOf(reached, clock.now());
    deps.log('info', 'reconciliation-advanced', {
      action: reached.phase,
      put: Object.values(reached.counts).reduce((all, { enqueued }) => all + enqueued, 0),
      failed: Object.values(reached.counts).reduce((all, { errors }) => all + errors, 0),
    });
    return [result];
  } catch (error) {
    // The next tick need not wait for the lease to end. If this fails as well, it does.
    await source.save(runBasic(config.systems, name, last, 0)).catch(() => undefined);
    throw error;
  }
}

function effectsOf({ counts }: RunState): number {
  return Object.values(counts).reduce((all, { enqueued, errors }) => all + enqueued + errors, 0);
}

async function record({ source, config, clock, bot }: Deps, state: RunState): Promise<void> {
  const result = resultOf(state, clock.now());
  const hasErrors = state.errors.length > 0 || Object.values(state.counts).some(({ errors }) => errors > 0);
  const { runId, startedAt } = state;
  await source.record(
    reconciliationEventOf(
      { runId, bot, startedAt, endedAt: clock.now(), result: JSON.stringify(result), hasErrors, removed: [] },
      config.systems
    )
  );
}
