/** Carries out the plan of one record: one request to the replica when all is well. */
import type { Sealed } from '../../fhir/sealed.ts';
import { faultOf } from '../../observability/fault.ts';
import type { CopyName, ReplicaFhir, ReplicaOutcome } from '../../ports.ts';
import { keepFirst } from './duplicates.io.ts';
import type { Hands } from './duplicates.io.ts';
import type { Plan, PutPlan, Target } from './plan.ts';

/** A second copy can come between the healing and the write, if twenty runs start at once for a new patient. */
const HEALINGS = 3;

type Seal = (parents: readonly Target[]) => Promise<readonly Sealed[]>;

/** More, in one transaction that may create, Medplum refuses (`platform.md` §11.5). */
const MAX_TOGETHER = 8;

/**
 * Applies one plan.
 *
 * @param hands - The replica, and the eraser if there is one.
 * @param plan - The plan.
 * @param seal - Seals parents, with stubs before them, and tells the trail of the parents; called only when the replica refuses the copy alone.
 * @throws Fault `replica-*` when it could not be done.
 */
export async function apply(hands: Hands, plan: Plan, seal: Seal): Promise<void> {
  switch (plan.action) {
    case 'skip':
    case 'quarantine':
      return;
    case 'withdraw':
      return hands.eraser ? hands.eraser.erase([plan.target]) : settle(await withdraw(hands, plan.target));
    case 'put':
      return settle(await put(hands, plan, seal));
  }
}

function settle(outcome: ReplicaOutcome): void {
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
}

async function withdraw(hands: Hands, target: Target): Promise<ReplicaOutcome> {
  const outcome = await hands.replica.withdraw(target.resourceType, target.tokenSystem, target.token);
  return outcome.kind === 'duplicate' ? keepFirst(hands, [target], 0) : outcome;
}

async function put(hands: Hands, plan: PutPlan, seal: Seal): Promise<ReplicaOutcome> {
  const { replica } = hands;
  const { sealed, target, parents, stubs } = plan;
  const all = [...stubs, ...parents, target];
  const outcome = await healing(hands, all, () => replica.upsert(sealed));
  if (outcome.kind !== 'rejected' && outcome.kind !== 'gone') {
    return outcome;
  }
  // A reference that the replica cannot resolve is a 400 or 404 like any other, and its text differs from server to server:
  // so the parents go along once, whatever the reason. If that fails as well, the resource itself is refused.
  const along = await seal(parents);
  if (along.length === 0) {
    return outcome;
  }
  const together = await healing(hands, all, () => writeTogether(replica, [...along, sealed]));
  return together.kind === 'done' ? single(hands, all, together) : together;
}

/**
 * Writes in as few transactions as the replica takes.
 *
 * @param replica - The replica.
 * @param sealed - Each after what it refers to.
 * @returns The first outcome that is not success, or the last.
 */
export async function writeTogether(replica: ReplicaFhir, sealed: readonly Sealed[]): Promise<ReplicaOutcome> {
  let outcome: ReplicaOutcome = { kind: 'done', status: 200 };
  for (let from = 0; from < sealed.length && outcome.kind === 'done'; from += MAX_TOGETHER) {
    outcome = await replica.upsertTogether(sealed.slice(from, from + MAX_TOGETHER));
  }
  return outcome;
}

/** Where two copies are under one token, also under one of a parent, one of them goes, and it is tried again. */
async function healing(
  hands: Hands,
  targets: readonly CopyName[],
  write: () => Promise<ReplicaOutcome>
): Promise<ReplicaOutcome> {
  for (let tries = 1; ; tries++) {
    const outcome = await write();
    if (outcome.kind !== 'duplicate' || tries === HEALINGS) {
      return outcome;
    }
    const removed = await keepFirst(hands, targets, 1);
    if (removed.kind !== 'done') {
      return removed;
    }
  }
}

/**
 * What was just made may have been made by the bulk path in the same moment, whose creates carry no condition. The bulk path
 * looks after it has written; so do we where several were made. For a single copy that look would be a fifth request for each
 * new record: what slips through both is met by the next sweep, which looks at all of a patient whose Consent has changed.
 */
async function single(hands: Hands, targets: readonly CopyName[], done: ReplicaOutcome): Promise<ReplicaOutcome> {
  const removed = await keepFirst(hands, targets, 1);
  return removed.kind === 'done' ? done : removed;
}
