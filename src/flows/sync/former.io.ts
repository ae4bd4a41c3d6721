/** Copies under a patient's former keys: once the new ones are written, they go. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { ReplicatedType } from '../../config/policy.ts';
import { faultOf } from '../../observability/fault.ts';
import type { Change, Copy } from '../../ports.ts';
import type { PatientKeys } from '../../rules/deid/keys.ts';
import type { Deps } from '../deps.ts';
import { begun } from './done.ts';
import type { Done, Told } from './done.ts';
import type { Hint } from './facts.ts';
import type { Plan, Target } from './plan.ts';
import { targetOf } from './plan.ts';
import { searchesOf } from './search.ts';

/**
 * Those of the planned records whose former copies nothing refers to: other copies still refer to a Patient's or an Encounter's, unless it leaves.
 *
 * @param hints - Records.
 * @param plans - Their plans, in the same order.
 * @returns The records.
 */
export function replacedBy(hints: readonly Hint[], plans: readonly Plan[]): Hint[] {
  return hints.filter(({ resourceType }, at) => {
    const action = plans[at]?.action;
    return action === 'withdraw' || (action === 'put' && resourceType !== 'Patient' && resourceType !== 'Encounter');
  });
}

/** Tells the trail what is about to be done. */
export type Announce = (told: readonly Told[]) => Promise<void>;

/**
 * Removes what is on the replica of some records under former keys.
 *
 * @param deps - The run.
 * @param former - The former keys; without them there is nothing to do.
 * @param hints - At most a page of records.
 * @param announce - Tells the trail before anything is removed.
 * @returns What was removed.
 * @throws Fault `replica-*` when it could not be done.
 */
export async function removeFormer(
  deps: Deps,
  former: PatientKeys | undefined,
  hints: readonly Hint[],
  announce: Announce
): Promise<Done[]> {
  if (!former || hints.length === 0) {
    return [];
  }
  const targets = hints.map((hint) => targetOf(hint, { config: deps.config, keys: former }));
  const copies = await deps.replica.find(searchesOf(targets));
  return removeCopies(deps, { copies, reason: 'rekeyed', targets }, announce);
}

/** Copies to remove, and why. */
export interface Leaving {
  readonly copies: readonly Copy[];
  readonly reason: string;
  /** What is known of their records. */
  readonly targets?: readonly Target[];
}

/**
 * Removes copies, children first.
 *
 * @param deps - The run.
 * @param leaving - At most a page of copies, and why they go.
 * @param announce - Tells the trail before anything is removed.
 * @returns What was removed.
 * @throws Fault `replica-*` when it could not be done.
 */
export async function removeCopies(
  deps: Deps,
  { copies, reason, targets = [] }: Leaving,
  announce: Announce
): Promise<Done[]> {
  const { replica, eraser, config } = deps;
  if (copies.length === 0) {
    return [];
  }
  const { patientToken, resourceToken } = config.systems;
  const done = childrenFirst(copies).map(({ resourceType, token }): Done => ({
    action: 'withdraw',
    reason,
    erasure: eraser ? 'expunged' : 'deleted',
    // Where the source record is gone or belongs to another patient, the token is the only name left for it.
    target: targets.find((one) => one.token === token) ?? {
      resourceType: resourceType as ReplicatedType,
      token,
      tokenSystem: resourceType === 'Patient' ? patientToken : resourceToken,
    },
  }));
  await announce(done.map(begun));
  if (eraser) {
    await eraser.erase(done.map(({ target }) => target));
    return done;
  }
  const outcome = await replica.write(childrenFirst(copies).map((copy): Change => ({ action: 'delete', copy })));
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
  return done;
}

/**
 * @param copies - Copies.
 * @returns The same, in the order in which they can go without leaving a reference behind.
 */
export function childrenFirst(copies: readonly Copy[]): Copy[] {
  const rank = ({ resourceType }: Copy): number => REPLICATED_TYPES.indexOf(resourceType as ReplicatedType);
  return copies.toSorted((a, b) => rank(b) - rank(a));
}
