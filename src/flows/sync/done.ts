/** What was done about one record, and how the trail tells it. */
import type { TrailEntity } from '../../observability/trail.ts';
import type { Action } from '../../observability/tally.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import type { Plan, Target } from './plan.ts';

export interface Done {
  readonly action: Action;
  readonly target: Target;
  readonly reason?: string;
  readonly decision?: Decision;
}

/**
 * @param plan - A plan that was carried out.
 * @returns What was done.
 */
export function doneOf(plan: Plan): Done {
  const { action, target } = plan;
  const decision = action === 'quarantine' ? undefined : plan.decision;
  return { action, target, ...(action !== 'put' && { reason: plan.reason }), ...(decision && { decision }) };
}

/**
 * @param done - What was done.
 * @returns Its entity in an AuditEvent: codes and references only.
 */
export function entityOf({ action, target, reason, decision }: Done): TrailEntity {
  const { reference, token, tokenSystem } = target;
  const consent = decision?.consent;
  return {
    ...(reference && { reference }),
    token,
    tokenSystem,
    action,
    ...(reason && { reason }),
    ...(consent && { consent: `Consent/${consent.id}/_history/${consent.versionId}` }),
    ...(decision?.path && { path: decision.path }),
    ...(decision?.validUntil && { validUntil: decision.validUntil }),
  };
}
