/** Takes a run on, a page at a time, from wherever it is: all that is known of it is in its state. */
import type { Patient } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../../config/policy.ts';
import type { ReplicatedType } from '../../../config/policy.ts';
import { faultCodeOf } from '../../../observability/fault.ts';
import { reconciliationEventOf } from '../../../observability/reconciliation-trail.ts';
import { NO_COUNTS, sum } from '../../reconciliation.ts';
import type { Counts, Listed, RunState, Scope } from '../../reconciliation.ts';
import type { Deps } from '../../deps.ts';
import { countsOf, removeOrphans } from './orphans.io.ts';
import { repair } from './repair.io.ts';
import type { WorkList } from './repair.io.ts';
import { walkPage } from './walk.io.ts';

/** A dry run names so many differences; the others it counts. */
const MOST_LISTED = 500;
/** Patients in one page of a first fill: nearly all of their records are to be written, and a page that is cut off comes again. */
const FILL_PAGE = 100;
/** Versions that are remembered so that they are not looked at twice; forgetting one costs a second look and no more. */
const MOST_SEEN = 2000;

/** What a page changes, gathered until it is done. */
interface Draft {
  counts: Record<string, Counts>;
  expected: Record<string, number>;
  readonly errors: Set<string>;
  readonly listed: Listed[];
}

/**
 * Goes on with a run until it is done or the time is over.
 *
 * @param deps - The run of the bot.
 * @param from - How far the run is.
 * @param save - Called after each page.
 * @returns How far it is now.
 * @throws Fault when either server cannot be reached. What was saved is not done again, and nothing is lost that was not saved.
 */
export async function advance(deps: Deps, from: RunState, save: (state: RunState) => Promise<void>): Promise<RunState> {
  const rates = new Map(Object.entries(from.rates));
  let state = from;
  while (state.phase !== 'done' && deps.clock.now() < deps.deadlineAt) {
    const draft: Draft = {
      counts: { ...state.counts },
      expected: { ...state.expected },
      errors: new Set(state.errors),
      listed: [...state.listed],
    };
    const moved = await step(deps, state, draft, rates);
    const { counts, expected, listed } = draft;
    state = {
      ...state,
      counts,
      expected,
      listed,
      errors: [...draft.errors],
      rates: Object.fromEntries(rates),
      ...moved,
    };
    await save(state);
  }
  return state;
}

async function step(deps: Deps, state: RunState, draft: Draft, rates: Map<string, number>): Promise<Partial<RunState>> {
  switch (state.phase) {
    case 'walk':
    case 'tail':
      return stepWalk(deps, state, draft, rates);
    case 'orphans':
      return stepOrphans(deps, state, draft);
    case 'done':
      return {};
  }
}

async function stepWalk(
  deps: Deps,
  state: RunState,
  draft: Draft,
  rates: Map<string, number>
): Promise<Partial<RunState>> {
  const { scope } = state;
  const { sweepOverlapMs } = deps.config;
  const feeds = feedsOf(scope);
  const page = await deps.source.search(state.cursor ?? firstPage(feeds[state.feed] ?? '', state, sweepOverlapMs));
  const rows = (page.entry ?? []).flatMap(({ resource }) => (resource as Patient | undefined) ?? []);
  const isTail = state.phase === 'tail';
  const patients = rows.filter((one) => isOurs(one, state) && !(isTail && state.seen.includes(versionOf(one))));
  const looked: Draft = { counts: {}, expected: {}, errors: draft.errors, listed: draft.listed };
  const workOff = (list: WorkList): Promise<void> =>
    scope.isDryRun ? tell(list, draft) : mend(deps, scope, list, draft);
  try {
    const list = await walkPage(deps, scope, patients, rates, {
      count: (type, counts) => count(looked, type, counts),
      expect: (type, copies) => (looked.expected[type] = (looked.expected[type] ?? 0) + copies),
      fail: (type, code) => draft.errors.add(`${type}: ${code}`),
      flush: workOff,
    });
    await workOff(list);
  } catch (error) {
    // What was repaired of the page is counted; the page comes again, and finds that equal.
    if (faultCodeOf(error) === 'deadline') {
      return {};
    }
    throw error;
  }
  // Those of the tail were counted where they were first seen, but for the few that nobody could see then.
  for (const type of isTail ? [] : scope.types) {
    count(draft, type, looked.counts[type] ?? NO_COUNTS);
    draft.expected[type] = (draft.expected[type] ?? 0) + (looked.expected[type] ?? 0);
  }
  const moved: Partial<RunState> = isTail
    ? {}
    : { patients: state.patients + patients.length, seen: remembered(state, patients, sweepOverlapMs) };
  if (isFull(scope, draft)) {
    return { ...moved, phase: 'done' };
  }
  const next = page.link?.find(({ relation }) => relation === 'next')?.url;
  return { ...moved, ...(next ? { cursor: next } : afterFeed(state, feeds.length)) };
}

function count(draft: Draft, type: string, counts: Partial<Counts>): void {
  draft.counts[type] = sum(draft.counts[type] ?? NO_COUNTS, counts);
}

function tell(list: WorkList, draft: Draft): Promise<void> {
  for (const { differences, strays } of list.values()) {
    differences.forEach(({ hint: { resourceType }, token, kind }) => note(draft, { resourceType, token, kind }));
    strays.forEach((stray) => note(draft, { ...stray, kind: 'orphaned' }));
  }
  list.clear();
  return Promise.resolve();
}

function note(draft: Draft, one: Listed): void {
  count(draft, one.resourceType, { [one.kind]: 1 });
  if (draft.listed.length < MOST_LISTED) {
    draft.listed.push(one);
  }
}

async function mend(deps: Deps, scope: Scope, list: WorkList, draft: Draft): Promise<void> {
  const isWhole = scope.types.length === REPLICATED_TYPES.length && !scope.isFill;
  const tally = (type: string, counts: Partial<Counts>): void => count(draft, type, counts);
  await repair(deps, list, isWhole, tally, () => !isFull(scope, draft));
}

function isFull({ limit }: Scope, { counts }: Draft): boolean {
  return limit !== undefined && Object.values(counts).reduce((all, { enqueued }) => all + enqueued, 0) >= limit;
}

/** All patients, one, or those of an organization: the server finds them by either of the places that name it. */
function feedsOf({ patient, organization }: Scope): string[] {
  if (patient) {
    return [`Patient?_id=${patient}`];
  }
  return organization
    ? [`Patient?organization=${organization}`, `Patient?_compartment=${organization}`]
    : ['Patient?_lastUpdated=ge1970-01-01T00:00:00Z'];
}

/** By `_lastUpdated`, since only that gives a cursor (`platform.md` §5.5): who is changed meanwhile comes again at the end. */
function firstPage(feed: string, { phase, startedAt, scope }: RunState, overlapMs: number): string {
  const since = phase === 'tail' ? `&_lastUpdated=ge${new Date(startedAt - overlapMs).toISOString()}` : '';
  const count = scope.isFill ? Math.min(FILL_PAGE, scope.batchSize) : scope.batchSize;
  return `${feed}&_sort=_lastUpdated&_count=${Math.max(20, count)}${since}`;
}

/** A search by two parameters of which either may be true is two searches; whom the first has found the second leaves out. */
function isOurs({ managingOrganization }: Patient, { scope, feed }: RunState): boolean {
  return scope.organization === undefined || feed === 0 || managingOrganization?.reference !== scope.organization;
}

function versionOf({ meta }: Patient): string {
  return meta?.versionId?.slice(0, 12) ?? '';
}

/** What lies before the start of the run by more than the overlap is visible to whoever reads after it. */
function remembered({ startedAt, seen }: RunState, patients: readonly Patient[], overlapMs: number): readonly string[] {
  const recent = patients.filter(({ meta }) => Date.parse(meta?.lastUpdated ?? '') >= startedAt - overlapMs);
  return [...seen, ...recent.map(versionOf)].slice(-MOST_SEEN);
}

/** Rows become visible late: after all feeds those that have changed since the start are asked for once more. */
function afterFeed({ phase, feed, scope }: RunState, feeds: number): Partial<RunState> {
  if (feed + 1 < feeds) {
    return { feed: feed + 1, cursor: undefined };
  }
  if (phase === 'walk') {
    return { phase: 'tail', feed: 0, cursor: undefined };
  }
  const isEverything = !scope.patient && !scope.organization && !scope.isFill && scope.limit === undefined;
  return { phase: isEverything ? 'orphans' : 'done', feed: 0, cursor: undefined };
}

/** The next type of which the replica counts too many: Patients first, whose children go with them. */
async function stepOrphans(deps: Deps, state: RunState, draft: Draft): Promise<Partial<RunState>> {
  const { scope, feed, runId, startedAt } = state;
  const types = scope.types.slice(feed);
  const counts = await countsOf(deps, types);
  const at = types.findIndex((type, index) => (counts[index] ?? 0) > explained(type, draft, scope));
  const type = types[at];
  if (!type) {
    return { phase: 'done' };
  }
  try {
    await removeOrphans(deps, type, {
      isDryRun: scope.isDryRun,
      tell: async (copies) => {
        copies.forEach(({ resourceType, token }) => note(draft, { resourceType, token, kind: 'orphaned' }));
        if (!scope.isDryRun && copies.length > 0) {
          copies.forEach(({ resourceType }) => count(draft, resourceType, { enqueued: 1 }));
          const event = {
            runId,
            bot: deps.bot,
            startedAt,
            endedAt: deps.clock.now(),
            hasErrors: false,
            removed: copies,
          };
          await deps.source.record(reconciliationEventOf(event, deps.config.systems));
        }
      },
    });
  } catch (error) {
    switch (faultCodeOf(error)) {
      case 'deadline':
        return {};
      case 'replica-rejected':
      case 'erasure-incomplete':
        draft.errors.add(`${type}: ${faultCodeOf(error)}`);
        break;
      default:
        throw error;
    }
  }
  return { feed: feed + at + 1 };
}

/** Copies that are accounted for: those that there should be and are, and in a dry run also those that should not and were seen. */
function explained(type: ReplicatedType, { counts, expected }: Draft, { isDryRun }: Scope): number {
  const { notSynced, errors, duplicate, orphaned } = counts[type] ?? NO_COUNTS;
  return (expected[type] ?? 0) - (isDryRun ? notSynced - duplicate - orphaned : errors);
}
