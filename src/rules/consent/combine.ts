/** Several Consents of one patient (rule 22): a deny overrides, a permit is needed, silence refuses. */
import type { Coding } from '@medplum/fhirtypes';
import { V3_ACT_CODE } from '../../fhir/systems.ts';
import { codesOf } from './coding.ts';
import { evidenceOf } from './condition.ts';
import type { Considered, Decision, DenyReason, Obligation, PermitReason, SilenceReason } from './decision.ts';
import { DENY_REASONS, OBLIGATIONS, PERMIT_REASONS, SILENCE_REASONS } from './decision.ts';
import type { Inquiry } from './inquiry.ts';
import { publicPurpose } from './purpose.ts';
import type { Verdict } from './verdict.ts';

/** The order in which the deciding reason is chosen; among silent Consents it is the one that came furthest. */
const ORDER: Readonly<Record<Verdict['decision'], readonly string[]>> = {
  deny: DENY_REASONS,
  permit: PERMIT_REASONS,
  'no-consent': [...SILENCE_REASONS].reverse(),
};

/**
 * Combines what the Consents say; neither order nor repetition matters.
 *
 * @param verdicts - One per Consent.
 * @param inquiry - The request.
 * @returns The decision.
 */
export function combine(verdicts: readonly Verdict[], inquiry: Inquiry): Decision {
  const decision =
    (['deny', 'permit'] as const).find((one) => verdicts.some((verdict) => verdict.decision === one)) ?? 'no-consent';
  const ranked = verdicts
    .filter((verdict) => verdict.decision === decision && verdict.reason !== 'superseded')
    .map((verdict) => ({ verdict, key: sortKey(verdict) }))
    .sort((a, b) => compare(a.key, b.key));
  const chosen = ranked[0]?.verdict;
  if (!chosen) {
    return refuse('no-consent', 'no-consents', inquiry, verdicts);
  }
  const { id, versionId, path, conditions, kind } = chosen;
  const evidence = {
    ...common(inquiry, verdicts),
    consent: { id, versionId },
    dimensions: conditions && kind ? evidenceOf(conditions, kind, inquiry) : [],
  };
  return decision === 'permit'
    ? {
        ...evidence,
        decision,
        reason: chosen.reason as PermitReason,
        path: path ?? 'provision',
        obligations: obliged(verdicts, inquiry),
      }
    : {
        ...evidence,
        decision,
        reason: chosen.reason as DenyReason | SilenceReason,
        ...(path && { path }),
        obligations: [],
      };
}

/**
 * A refusal that no single Consent decides.
 *
 * @param decision - Deny or no-consent.
 * @param reason - The reason.
 * @param inquiry - The request.
 * @param verdicts - What the Consents said, if they were asked.
 * @returns The refusal.
 */
export function refuse(
  decision: 'deny' | 'no-consent',
  reason: DenyReason | SilenceReason,
  inquiry: Inquiry,
  verdicts: readonly Verdict[] = []
): Decision {
  return { decision, reason, dimensions: [], obligations: [], ...common(inquiry, verdicts) };
}

function common(
  inquiry: Inquiry,
  verdicts: readonly Verdict[]
): Pick<Decision, 'purpose' | 'validUntil' | 'considered'> {
  const next = verdicts.reduce((least, { nextChange }) => Math.min(least, nextChange), Infinity);
  return {
    purpose: publicPurpose(inquiry.purpose) ?? 'other',
    ...(next < Infinity && { validUntil: new Date(next).toISOString() }),
    considered: consideredIn(verdicts),
  };
}

/** By id, and each once: neither order nor repetition of the Consents shows. */
function consideredIn(verdicts: readonly Verdict[]): Considered[] {
  const keyed = verdicts.map((one) => ({ key: `${one.id} ${one.versionId} ${sortKey(one)}`, one }));
  keyed.sort((a, b) => compare(a.key, b.key));
  return keyed.filter(({ key }, i) => i === 0 || key !== keyed[i - 1]?.key).map(({ one }) => summary(one));
}

function summary({ id, versionId, decision, reason, policies }: Verdict): Considered {
  return { id, versionId, decision, reason, ...(policies && { policies }) };
}

function sortKey({ decision, reason, id, versionId, path }: Verdict): string {
  const rank = ORDER[decision].indexOf(reason) + 1;
  return `${rank < 10 ? '0' : ''}${String(rank)} ${decision} ${id} ${versionId} ${path ?? ''}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The obligations of every Consent that permits, and of the data. */
function obliged(verdicts: readonly Verdict[], { facts }: Inquiry): Obligation[] {
  const ofConsents = verdicts
    .filter((verdict) => verdict.decision === 'permit')
    .flatMap((verdict) => verdict.obligations);
  const ofData: Obligation[] = hasNoRedisclosure(facts.labels) ? ['no-redisclosure'] : [];
  return OBLIGATIONS.filter((one) => ofConsents.includes(one) || ofData.includes(one));
}

function hasNoRedisclosure(labels: readonly Coding[]): boolean {
  return codesOf(labels, V3_ACT_CODE).includes('NORDSCLCD');
}
