/** Plans against copies → what differs, and how. Pure. */
import type { Replicated } from '../../../config/policy.ts';
import type { Copy } from '../../../ports.ts';
import type { Kind, Scope } from '../../reconciliation.ts';
import { compare, inIdOrder } from '../compare.ts';
import type { Hint } from '../facts.ts';
import type { Plan } from '../plan.ts';

const DAY_MS = 86_400_000;

/** A record with its plan. */
export interface Planned {
  readonly patientId: string;
  readonly hint: Hint;
  readonly record: Replicated;
  readonly plan: Plan;
  /** Whether its encrypted original is there, of its version and under the present key. */
  readonly isOriginalKept: boolean;
}

/** A record whose copy is not as it should be. */
export interface Difference {
  readonly patientId: string;
  readonly hint: Hint;
  readonly token: string;
  readonly kind: Kind;
}

/** What there is to compare with. */
export interface Held {
  /** Copies under the tokens of the records, in any order. */
  readonly copies: readonly Copy[];
  /** Copies of the Patients and Encounters that they refer to. */
  readonly parents: readonly Copy[];
  /** Tokens of copies whose content is not what their digest says. */
  readonly suspects: ReadonlySet<string>;
}

/**
 * Finds what differs, by the same comparison that the repair makes.
 *
 * @param planned - Records and their plans.
 * @param held - Their copies.
 * @param scope - What counts as a difference.
 * @param now - Milliseconds since the epoch.
 * @returns The differences, and copies whose token is nobody's.
 */
export function differencesOf(
  planned: readonly Planned[],
  { copies, parents, suspects }: Held,
  scope: Pick<Scope, 'staleDays' | 'isFill'>,
  now: number
): { readonly differences: Difference[]; readonly strays: Copy[] } {
  const trusted = copies.map((copy) => (suspects.has(copy.token) ? { ...copy, digest: undefined } : copy));
  const plans = planned.map(({ plan }) => plan);
  const steps = compare({ eraser: undefined }, plans, [...trusted, ...parents]);
  const byToken = Map.groupBy(copies, ({ token }) => token);
  const differences: Difference[] = [];
  planned.forEach(({ patientId, hint, record, plan, isOriginalKept }, at) => {
    const { token } = plan.target;
    const same = byToken.get(token) ?? [];
    byToken.delete(token);
    if ((steps[at]?.changes.length ?? 0) === 0 && isOriginalKept) {
      return;
    }
    const kind = kindOf(plan, same, suspects);
    const isYoung = Date.parse(record.meta?.lastUpdated ?? '') > now - scope.staleDays * DAY_MS;
    if (scope.isFill ? kind === 'notSynced' : !(kind === 'stale' && isYoung)) {
      differences.push({ patientId, hint, token, kind });
    }
  });
  return { differences, strays: [...byToken.values()].flat() };
}

function kindOf(plan: Plan, same: readonly Copy[], suspects: ReadonlySet<string>): Kind {
  const [first, ...extra] = inIdOrder(same);
  if (plan.action !== 'put') {
    return 'orphaned';
  }
  if (!first) {
    return 'notSynced';
  }
  if (first.digest === undefined) {
    return 'mislabelled';
  }
  const [policy, key] = first.digest.split('.');
  const [ownPolicy, ownKey] = plan.sealed.digest.split('.');
  if (key !== ownKey) {
    return 'oldKey';
  }
  if (policy !== ownPolicy) {
    return 'oldPolicy';
  }
  if (suspects.has(first.token)) {
    return 'tampered';
  }
  return extra.length > 0 && first.digest === plan.sealed.digest ? 'duplicate' : 'stale';
}
