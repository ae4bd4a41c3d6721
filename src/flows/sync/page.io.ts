/**
 * The bulk path: a page of records of one patient. What is already equal is not touched; the rest goes in transactions
 * of plain creates, updates and deletes by id, which cost half of conditional updates (`platform.md` §14).
 */
import { Fault, faultOf } from '../../observability/fault.ts';
import { add, NOTHING, tallyOf } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Change, Copy, ReplicaFhir, ReplicaOutcome } from '../../ports.ts';
import { enqueue } from '../../queue/store.io.ts';
import type { Deps } from '../deps.ts';
import { audit } from './audit.io.ts';
import { syncChildren, syncDocuments } from './children.io.ts';
import { compare, inOrder } from './compare.ts';
import type { Step } from './compare.ts';
import { begun, isToldAfterwards } from './done.ts';
import type { Done, Told } from './done.ts';
import { extraOf, removeExtra } from './duplicates.io.ts';
import { planAll } from './establish.io.ts';
import { fingerprintOf, keyOf } from './facts.ts';
import type { Hint } from './facts.ts';
import { removeFormer, replacedBy } from './former.io.ts';
import { gather } from './gather.io.ts';
import { areOriginalsKept, keepOriginals } from './originals.io.ts';
import { recordOrder } from './orders.ts';
import type { Plan, Target } from './plan.ts';
import { searchesOf, stubsOfPlans, targetsOf } from './search.ts';
import { keepStubs } from './stubs.io.ts';

/** Records in one page: its token searches and its write fit one request each. */
export const PAGE_SIZE = 50;
const MAX_ROUNDS = 4;

export interface PageOptions {
  /** True when the caller looks at everything of the patient anyway. */
  readonly isWhole?: boolean;
  /** Is told of each record that the replica refuses; without it each becomes a dead letter. */
  readonly onRefused?: (record: string, reason: string) => void;
  /** Tokens of copies whose content is not what their digest says. */
  readonly suspects?: ReadonlySet<string>;
}

/**
 * Brings the copies of some records of one patient in line with the source.
 *
 * @param deps - The run.
 * @param patientId - The patient.
 * @param hints - At most PAGE_SIZE records.
 * @param options - What the caller does itself.
 * @returns What was done.
 * @throws Fault when either server cannot be reached, or `contention`.
 */
export async function syncPage(
  deps: Deps,
  patientId: string,
  hints: readonly Hint[],
  options: PageOptions = {}
): Promise<Tally> {
  const { replica, clock } = deps;
  const startedAt = clock.now();
  let total = NOTHING;
  const turned = new Set<string>();
  const created = new Map<string, Target>();
  let hasLookedAgain = false;

  let facts = await gather(deps, patientId, hints);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const { keyring, rules, plans } = await planAll(deps, facts);
    const found = await replica.find(searchesOf([...stubsOfPlans(plans), ...targetsOf(plans)]));
    const parents = parentsAmiss(plans, found, facts.hints);
    if (parents.length > 0) {
      facts = await gather(deps, patientId, [...facts.hints, ...parents]);
      continue;
    }
    const copies = options.suspects ? found.map((copy) => distrusted(copy, options.suspects)) : found;
    const steps = compare(deps, plans, copies);
    const hasKept = await keepOriginals(deps, facts, plans);
    const tell = async (some: readonly Told[]): Promise<void> => {
      if (some.length > 0) {
        await audit(deps, { patientId, keyring, startedAt, attempt: round }, some);
      }
    };
    await tell(steps.flatMap((step) => (step.done.action === 'unchanged' ? [] : [begun(step.done)])));
    await keepStubs(deps, rules, plans, found, tell);
    const written = await writeAll(replica, inOrder(await eraseFirst(deps, steps)));
    const replaced = unlessFailed(facts.hints, plans, written);
    const done = [...written, ...(await removeFormer(deps, keyring.former, replaced, tell))];
    await tell(done.filter(isToldAfterwards));
    // What is refused may refer to a parent whose copy has gone, or got a second one, since it was looked for: as when a Consent is given while
    // copies are erased. It is looked at once more.
    const isInDoubt: boolean = !hasLookedAgain && done.some(mayLackParent);
    hasLookedAgain ||= isInDoubt;
    const certain = isInDoubt ? done.filter((one) => !mayLackParent(one)) : done;
    await report(deps, patientId, certain, options.onRefused);
    total = add(total, tallyOf(certain));
    createdBy(steps).forEach((target) => created.set(target.token, target));
    encountersThatTurned(steps).forEach((id) => turned.add(id));
    const hadEffect = hasKept || steps.some(({ changes }) => changes.length > 0);
    const after = hadEffect ? await gather(deps, patientId, facts.hints) : facts;
    if (!isInDoubt && fingerprintOf(after) === fingerprintOf(facts) && areOriginalsKept(deps, after, plans)) {
      if (await removeDuplicates(deps, [...created.values()])) {
        created.clear();
        // What refers to one that has gone is seen, and written again, by the next round.
        facts = after;
        continue;
      }
      deps.log('info', 'page-synced', countsOf(total));
      const done = new Set(facts.hints.map(keyOf));
      if (options.isWhole) {
        return total;
      }
      if (turned.size > 0) {
        total = add(total, await syncChildren(deps, patientId, [...turned], done));
      }
      return add(total, await syncDocuments(deps, patientId, unturned(hints, turned), done));
    }
    facts = after;
  }
  throw new Fault('contention');
}

/**
 * Parents without a copy, or with several, that nobody looks at here: a replica that was restored, or a job whose patient's copy is still to come,
 * does not know them; a run that died may have left two. What refers to them would be refused. They go along.
 */
function parentsAmiss(plans: readonly Plan[], found: readonly Copy[], hints: readonly Hint[]): Hint[] {
  const copies = Map.groupBy(found, ({ token }) => token);
  const looked = new Set(hints.map(keyOf));
  const parents = plans.flatMap((planned) => (planned.action === 'put' ? planned.parents : []));
  const amiss = parents.flatMap(({ reference = '', resourceType, token }): Hint[] =>
    copies.get(token)?.length === 1 || looked.has(reference)
      ? []
      : [{ resourceType, id: reference.split('/')[1] ?? '' }]
  );
  return [...new Map(amiss.map((hint) => [keyOf(hint), hint])).values()];
}

/** What could not be written stays readable under the former keys. */
function unlessFailed(hints: readonly Hint[], plans: readonly Plan[], written: readonly Done[]): Hint[] {
  const failed = new Set(written.flatMap(({ action, target }) => (action === 'fail' ? [target.reference] : [])));
  return replacedBy(hints, plans).filter((hint) => !failed.has(keyOf(hint)));
}

/** One bad record does not hold back the others, and is not forgotten either. */
async function report(
  deps: Deps,
  patientId: string,
  done: readonly Done[],
  onRefused: PageOptions['onRefused']
): Promise<void> {
  for (const { action, target, reason = 'replica-rejected' } of done) {
    if (action === 'fail' && target.reference) {
      if (onRefused) {
        onRefused(target.reference, reason);
      } else {
        const id = target.reference.split('/')[1] ?? '';
        const order = recordOrder(patientId, { resourceType: target.resourceType, id }, deps.clock.now());
        await enqueue(deps, { ...order, attempts: 1, reason, isDead: true });
      }
    }
  }
}

/** With an eraser, copies are not deleted but expunged: what was deleted is no longer found by its token. */
async function eraseFirst(deps: Deps, steps: readonly Step[]): Promise<readonly Step[]> {
  const { eraser } = deps;
  const isDelete = (change: Change): change is Extract<Change, { action: 'delete' }> => change.action === 'delete';
  const losing = steps.filter(({ changes }) => changes.some(isDelete));
  if (!eraser || losing.length === 0) {
    return steps;
  }
  const leaving = losing.filter(({ done }) => done.action === 'withdraw');
  if (leaving.length > 0) {
    await eraser.erase(leaving.map(({ done }) => done.target));
  }
  const extra = losing.filter((step) => !leaving.includes(step));
  settle(
    await removeExtra(
      deps,
      extra.map(({ done }) => done.target),
      extra.flatMap(({ changes }) => changes.filter(isDelete).map(({ copy }) => copy))
    )
  );
  return steps.map((step) =>
    losing.includes(step) ? { ...step, changes: step.changes.filter((change) => !isDelete(change)) } : step
  );
}

/** Written again whatever its tag says. */
function distrusted(copy: Copy, suspects: ReadonlySet<string> | undefined): Copy {
  return suspects?.has(copy.token) ? { ...copy, digest: undefined } : copy;
}

/** Nothing here tells whether they were finished before: their documentation is looked at, where any waits. */
function unturned(hints: readonly Hint[], turned: ReadonlySet<string>): string[] {
  return hints.flatMap(({ resourceType, id }) => (resourceType === 'Encounter' && !turned.has(id) ? [id] : []));
}

/** Encounters whose copy has come or gone: what refers to them has to be looked at again. */
function encountersThatTurned(steps: readonly Step[]): string[] {
  const turned = steps.filter(
    ({ done, changes }) => done.target.resourceType === 'Encounter' && changes.some(({ action }) => action !== 'update')
  );
  return turned.flatMap(({ done }) => done.target.reference?.split('/')[1] ?? []);
}

/**
 * Writes all steps, in one transaction if the replica takes it. One bad record must not hold back the others: a refused
 * transaction is halved until the bad one stands alone.
 */
async function writeAll(replica: ReplicaFhir, steps: readonly Step[]): Promise<Done[]> {
  const changes = steps.flatMap((step): readonly Change[] => step.changes);
  if (changes.length === 0) {
    return steps.map(({ done }) => done);
  }
  const outcome = await replica.write(changes);
  if (outcome.kind === 'done') {
    return steps.map(({ done }) => done);
  }
  const fault = faultOf(outcome);
  if (outcome.kind !== 'rejected' && outcome.kind !== 'duplicate') {
    throw fault;
  }
  if (steps.length === 1) {
    return steps.map(({ done }): Done => ({ ...done, action: 'fail', reason: fault.code }));
  }
  const half = Math.ceil(steps.length / 2);
  return [...(await writeAll(replica, steps.slice(0, half))), ...(await writeAll(replica, steps.slice(half)))];
}

function createdBy(steps: readonly Step[]): Target[] {
  const creating = steps.filter(({ changes }) => changes.some(({ action }) => action === 'create'));
  return creating.map(({ done }) => done.target);
}

function mayLackParent({ action, target }: Done): boolean {
  return action === 'fail' && target.resourceType !== 'Patient';
}

/** A create of ours may have met a create of the event path, or been sent twice. All look, all keep the same copy. */
async function removeDuplicates(deps: Deps, targets: readonly Target[]): Promise<boolean> {
  const extra = targets.length > 0 ? await extraOf(deps, targets, 1) : [];
  settle(await removeExtra(deps, targets, extra));
  return extra.length > 0;
}

function settle(outcome: ReplicaOutcome): void {
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
}

function countsOf({ reasons: _reasons, ...counts }: Tally): Omit<Tally, 'reasons'> {
  return counts;
}
