/** What each Consent says about a request. */
import type { Consent } from '@medplum/fhirtypes';
import type { BaseFinding } from './base.ts';
import { isModified, readBase, statesRule, textPolicies } from './base.ts';
import type { Considered, Obligation } from './decision.ts';
import type { Inquiry } from './inquiry.ts';
import { isResearch, mustBeStated } from './purpose.ts';
import { isResearchScoped, obligationsOf, standingOf } from './standing.ts';
import { nextChange } from './valid-until.ts';

/** The word of one Consent. */
export interface Verdict extends Considered, Pick<BaseFinding, 'path' | 'conditions' | 'kind' | 'labels'> {
  readonly obligations: readonly Obligation[];
  /** When it could change by itself, in milliseconds. */
  readonly nextChange: number;
}

type Said = Pick<Verdict, 'decision' | 'reason' | 'path' | 'conditions' | 'kind' | 'labels'>;

/**
 * Asks every Consent.
 *
 * @param consents - All Consents that were read, active or not.
 * @param inquiry - The request.
 * @returns One verdict per Consent.
 */
export function verdictsOf(consents: readonly Consent[], inquiry: Inquiry): Verdict[] {
  return consents.map((consent) => {
    const { silent, mayNotPermit } = standingOf(consent, consents, inquiry);
    const said: Said = silent ? { decision: 'no-consent', reason: silent } : speak(consent, inquiry);
    const isStopped =
      mayNotPermit &&
      (said.decision !== 'deny' || (mayNotPermit === 'category' && !isModified(consent) && !statesRule(consent)));
    const policies = textPolicies(consent);
    return {
      ...(isStopped ? { decision: 'no-consent', reason: mayNotPermit } : said),
      id: consent.id ?? '',
      versionId: consent.meta?.versionId ?? '',
      obligations: obligationsOf(consent),
      nextChange:
        silent === 'patient' || silent === 'status' || silent === 'superseded'
          ? Infinity
          : nextChange(consent, inquiry),
      ...(policies.length && { policies }),
    };
  });
}

function speak(consent: Consent, inquiry: Inquiry): BaseFinding {
  if (isModified(consent)) {
    return { decision: 'deny', reason: 'uninterpretable' };
  }
  const found = readBase(consent, inquiry);
  const isPurposeKnown =
    found.isPurposeStated ||
    !mustBeStated(inquiry.purpose) ||
    (isResearch(inquiry.purpose) && isResearchScoped(consent));
  return found.decision === 'permit' && !isPurposeKnown
    ? { ...found, decision: 'no-consent', reason: 'purpose-not-stated' }
    : found;
}
