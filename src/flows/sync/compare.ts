/** Plans against what the replica holds → the changes that are left to make. Pure. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { Change, Copy } from '../../ports.ts';
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
 * @param plans - One plan per record.
 * @param copies - All copies under the plans' tokens.
 * @returns One step per plan, in the same order.
 */
export function compare(plans: readonly Plan[], copies: readonly Copy[]): Step[] {
  const byToken = Map.groupBy(copies, ({ token }) => token);
  return plans.map((plan) => {
    const [first, ...extra] = [...(byToken.get(plan.target.token) ?? [])].sort((a, b) => a.id.localeCompare(b.id));
    const done = doneOf(plan);
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
        if (first?.digest === sealed.digest) {
          return extra.length > 0 ? { done, changes: remove(extra) } : { done: { ...done, action: 'unchanged' }, changes: [] };
        }
        return { done, changes: [first ? { action: 'update', sealed, id: first.id } : { action: 'create', sealed }, ...remove(extra)] };
      }
    }
  });
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
