/** Plans against what the replica holds → the changes that are left to make. Pure. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { Change, Copy, CopyName } from '../../ports.ts';
import { doneOf } from './done.ts';
import type { Done } from './done.ts';
import type { Plan } from './plan.ts';

/** The changes for one record, and what will have been done by them. */
export interface Step {
  readonly done: Done;
  readonly changes: readonly Change[];
}

/**
 * Compares plans with copies by digest. Of several copies under one token the first, in id order, is kept.
 *
 * @param hands - Whether there is an eraser.
 * @param plans - One plan per record.
 * @param copies - All copies under the tokens of the plans, of their parents and of their stubs.
 * @returns One step per plan, in the same order.
 */
export function compare(hands: { readonly eraser: unknown }, plans: readonly Plan[], copies: readonly Copy[]): Step[] {
  const byToken = Map.groupBy(copies, ({ token }) => token);
  return plans.map((plan) => {
    const [first, ...extra] = inIdOrder(byToken.get(plan.target.token) ?? []);
    const done = doneOf(hands, plan);
    const remove = (some: readonly Copy[]): Change[] => some.map((copy) => ({ action: 'delete', copy }));
    switch (plan.action) {
      case 'skip':
      case 'quarantine':
        return { done, changes: [] };
      case 'withdraw': {
        const all = first ? [first, ...extra] : [];
        return all.length > 0 ? { done, changes: remove(all) } : { done: { ...done, action: 'skip' }, changes: [] };
      }
      case 'put': {
        const { sealed } = plan;
        if (first?.digest === sealed.digest && isLinkedRight(first, [...plan.parents, ...plan.stubs], byToken)) {
          return extra.length > 0
            ? { done, changes: remove(extra) }
            : { done: { ...done, action: 'unchanged' }, changes: [] };
        }
        return {
          done,
          changes: [
            first ? { action: 'update', sealed, id: first.id } : { action: 'create', sealed },
            ...remove(extra),
          ],
        };
      }
    }
  });
}

/**
 * The digest speaks of tokens; the server has put its own ids in their place. When a parent was deleted and made again,
 * its children still hold the old id, and only writing them again sets it right.
 */
function isLinkedRight(
  copy: Copy,
  parents: readonly CopyName[],
  byToken: ReadonlyMap<string, readonly Copy[]>
): boolean {
  return parents.every(({ token }) => {
    const [parent] = inIdOrder(byToken.get(token) ?? []);
    return parent && copy.references.includes(`${parent.resourceType}/${parent.id}`);
  });
}

/**
 * @param copies - Copies under one token.
 * @returns The same, in the order by which every writer chooses the one that stays.
 */
export function inIdOrder(copies: readonly Copy[]): Copy[] {
  return copies.toSorted((a, b) => a.id.localeCompare(b.id));
}

/**
 * The order in which steps may be written: parents before children, so that conditional references resolve.
 *
 * @param steps - The steps.
 * @returns The same steps, Patient first.
 */
export function inOrder(steps: readonly Step[]): Step[] {
  const rank = (step: Step): number => REPLICATED_TYPES.indexOf(step.done.target.resourceType);
  return steps.toSorted((a, b) => rank(a) - rank(b));
}
