/** Carries out the plan of one record: one request to the replica when all is well. */
import type { Sealed } from '../../fhir/sealed.ts';
import type { Change, ReplicaFhir, ReplicaOutcome } from '../../ports.ts';
import { inIdOrder } from './compare.ts';
import type { Plan, Target } from './plan.ts';

type Put = Extract<Plan, { readonly action: 'put' }>;
type Seal = (parents: readonly Target[]) => readonly Sealed[];

/**
 * Applies one plan.
 *
 * @param replica - The replica.
 * @param plan - The plan.
 * @param seal - Seals parents; called only when the replica refuses the copy without them.
 * @returns What the replica answered; `done` also for plans that ask for nothing.
 */
export async function apply(replica: ReplicaFhir, plan: Plan, seal: Seal): Promise<ReplicaOutcome> {
  switch (plan.action) {
    case 'skip':
    case 'quarantine':
      return { kind: 'done', status: 200 };
    case 'withdraw': {
      const { resourceType, tokenSystem, token } = plan.target;
      const outcome = await replica.withdraw(resourceType, tokenSystem, token);
      return outcome.kind === 'duplicate' ? removeCopies(replica, plan, 0) : outcome;
    }
    case 'put':
      return put(replica, plan, seal);
  }
}

async function put(replica: ReplicaFhir, plan: Put, seal: Seal): Promise<ReplicaOutcome> {
  const { sealed } = plan;
  const outcome = await replica.upsert(sealed);
  if (outcome.kind === 'duplicate') {
    const removed = await removeCopies(replica, plan, 1);
    return removed.kind === 'done' ? replica.upsert(sealed) : removed;
  }
  if (outcome.kind !== 'rejected') {
    return outcome;
  }
  // A reference that the replica cannot resolve is a 400 like any other, and its text differs from server to server:
  // so the parents go along once, whatever the reason. If that fails as well, the resource itself is refused.
  const along = seal(plan.parents);
  return along.length > 0 ? replica.upsertTogether([...along, sealed]) : outcome;
}

/** Several copies under one token, after a race between the event path and the bulk path: keep the first, in id order. */
async function removeCopies(replica: ReplicaFhir, { target }: Plan, keep: 0 | 1): Promise<ReplicaOutcome> {
  const query = `${target.resourceType}?identifier=${encodeURIComponent(`${target.tokenSystem}|${target.token}`)}&_count=100`;
  const copies = inIdOrder(await replica.find([query]));
  return replica.write(copies.slice(keep).map((copy): Change => ({ action: 'delete', copy })));
}
