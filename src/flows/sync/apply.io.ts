/** Carries out the plan of one record: one request to the replica when all is well. */
import type { Sealed } from '../../fhir/sealed.ts';
import { faultOf } from '../../observability/fault.ts';
import type { Change, Eraser, ReplicaFhir, ReplicaOutcome } from '../../ports.ts';
import { inIdOrder } from './compare.ts';
import type { Plan, Target } from './plan.ts';
import { searchesOf } from './search.ts';

type Put = Extract<Plan, { readonly action: 'put' }>;
/** A second copy can come between the healing and the write, if twenty runs start at once for a new patient. */
const HEALINGS = 3;

type Seal = (parents: readonly Target[]) => readonly Sealed[];

/** Who can write and remove copies. */
interface Hands {
  readonly replica: ReplicaFhir;
  readonly eraser: Eraser | undefined;
}

/**
 * Applies one plan.
 *
 * @param hands - The replica, and the eraser if there is one.
 * @param plan - The plan.
 * @param seal - Seals parents; called only when the replica refuses the copy without them.
 * @throws Fault `replica-*` when it could not be done.
 */
export async function apply({ replica, eraser }: Hands, plan: Plan, seal: Seal): Promise<void> {
  switch (plan.action) {
    case 'skip':
    case 'quarantine':
      return;
    case 'withdraw':
      return eraser ? eraser.erase([plan.target]) : settle(await withdraw(replica, plan.target));
    case 'put':
      return settle(await put(replica, plan, seal));
  }
}

function settle(outcome: ReplicaOutcome): void {
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
}

async function withdraw(replica: ReplicaFhir, target: Target): Promise<ReplicaOutcome> {
  const outcome = await replica.withdraw(target.resourceType, target.tokenSystem, target.token);
  return outcome.kind === 'duplicate' ? removeCopies(replica, [target], 0) : outcome;
}

async function put(replica: ReplicaFhir, plan: Put, seal: Seal): Promise<ReplicaOutcome> {
  const { sealed, target, parents } = plan;
  const all = [...parents, target];
  const outcome = await healing(replica, all, () => replica.upsert(sealed));
  if (outcome.kind !== 'rejected' && outcome.kind !== 'gone') {
    return outcome;
  }
  // A reference that the replica cannot resolve is a 400 or 404 like any other, and its text differs from server to server:
  // so the parents go along once, whatever the reason. If that fails as well, the resource itself is refused.
  const along = seal(parents);
  if (along.length === 0) {
    return outcome;
  }
  const together = await healing(replica, all, () => replica.upsertTogether([...along, sealed]));
  return together.kind === 'done' ? single(replica, all, together) : together;
}

/** Where two copies are under one token, also under one of a parent, one of them goes, and it is tried again. */
async function healing(
  replica: ReplicaFhir,
  targets: readonly Target[],
  write: () => Promise<ReplicaOutcome>
): Promise<ReplicaOutcome> {
  for (let tries = 1; ; tries++) {
    const outcome = await write();
    if (outcome.kind !== 'duplicate' || tries === HEALINGS) {
      return outcome;
    }
    const removed = await removeCopies(replica, targets, 1);
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
async function single(replica: ReplicaFhir, targets: readonly Target[], done: ReplicaOutcome): Promise<ReplicaOutcome> {
  const removed = await removeCopies(replica, targets, 1);
  return removed.kind === 'done' ? done : removed;
}

/** Keeps the first copies under each token, in id order. */
async function removeCopies(replica: ReplicaFhir, targets: readonly Target[], keep: 0 | 1): Promise<ReplicaOutcome> {
  const copies = await replica.find(searchesOf(targets));
  const extra = [...Map.groupBy(copies, ({ token }) => token).values()].flatMap((same) => inIdOrder(same).slice(keep));
  return extra.length > 0
    ? replica.write(extra.map((copy): Change => ({ action: 'delete', copy })))
    : { kind: 'done', status: 200 };
}
