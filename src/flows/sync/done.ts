/** What was done about one record, and how the trail tells it. */
import type { TrailEntity } from '../../observability/trail.ts';
import type { Action } from '../../observability/tally.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import type { Plan, StubTarget, Target } from './plan.ts';

export interface Done {
  readonly action: Action;
  readonly target: Target;
  readonly reason?: string;
  readonly decision?: Decision;
  /** How a copy was removed: with its history, or without. */
  readonly erasure?: 'expunged' | 'deleted';
}

/** What the trail is told: also of a removal that has only begun, and of stubs that go along. */
export type Told = Omit<Done, 'action' | 'target'> &
  Pick<TrailEntity, 'action'> & { readonly target: Target | StubTarget };

/**
 * @param hands - Whether there is an eraser.
 * @param plan - A plan that was carried out.
 * @returns What was done.
 */
export function doneOf(hands: { readonly eraser: unknown }, plan: Plan): Done {
  const { action, target } = plan;
  const decision = action === 'quarantine' ? undefined : plan.decision;
  return {
    action,
    target,
    ...(action !== 'put' && { reason: plan.reason }),
    ...(decision && { decision }),
    ...(action === 'withdraw' && { erasure: hands.eraser ? ('expunged' as const) : ('deleted' as const) }),
  };
}

/**
 * What the trail is told before a copy is written or removed, so that no effect is missing from it, whatever dies in between. That
 * a copy was sent is true from then on, as far as anybody can know; that one is gone is not, and is told again when it has been seen.
 *
 * @param done - What is about to be done.
 * @returns The same; a removal as one that has only begun.
 */
export function begun(done: Done): Told {
  if (done.action !== 'withdraw') {
    return done;
  }
  const { reason: _reason, erasure: _erasure, ...rest } = done;
  return { ...rest, action: 'withdrawing' };
}

/**
 * @param done - What was done.
 * @returns True for what `begun` does not tell for good.
 */
export function isToldAfterwards({ action }: Done): boolean {
  return action === 'withdraw' || action === 'fail';
}

/**
 * @param done - What was done.
 * @param isNameless - Whether its token counts for nothing.
 * @returns Its entity in an AuditEvent: codes and references only.
 */
export function entityOf({ action, target, reason, decision, erasure }: Told, isNameless = false): TrailEntity {
  const { reference, token, tokenSystem } = target;
  const consent = decision?.consent;
  return {
    ...(reference && { reference }),
    ...(!isNameless && { token, tokenSystem }),
    action,
    ...(reason && { reason }),
    ...(erasure && { erasure }),
    ...(consent && { consent: `Consent/${consent.id}/_history/${consent.versionId}` }),
    ...(decision?.path && { path: decision.path }),
    ...(decision?.validUntil && { validUntil: decision.validUntil }),
  };
}
