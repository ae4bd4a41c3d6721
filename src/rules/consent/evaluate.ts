/** Consents × request → decision: denies override, silence denies, doubt denies (docs/consent.md). */
import type { Consent } from '@medplum/fhirtypes';
import { V3_ACT_REASON } from '../../fhir/systems.ts';
import { codesOf } from './coding.ts';
import { combine, refuse } from './combine.ts';
import type { Decision } from './decision.ts';
import type { ConsentRequest, Inquiry } from './inquiry.ts';
import { readRequest } from './inquiry.ts';
import { isBelowPurpose } from './purpose.ts';
import { verdictsOf } from './verdict.ts';

/**
 * Decides whether the Consents of a patient permit a request.
 *
 * @param consents - All Consents that were read, active or not; every page, or none at all (rule 24).
 * @param request - What is asked.
 * @returns The decision with its evidence.
 */
export function evaluate(consents: readonly Consent[], request: ConsentRequest): Decision {
  const inquiry = readRequest(request);
  return refuseData(inquiry) ?? combine(verdictsOf(consents, inquiry), inquiry);
}

/**
 * What the data alone refuse (rules 1 and 2).
 *
 * @param inquiry - The request.
 * @returns A refusal if the data are not of this one patient, or are tagged for another purpose.
 */
export function refuseData(inquiry: Inquiry): Decision | undefined {
  const { patients, labels } = inquiry.facts;
  if (!patients.length || patients.some((patient) => patient !== inquiry.patient)) {
    return refuse('deny', 'wrong-patient', inquiry);
  }
  const tags = codesOf(labels, V3_ACT_REASON).filter((code) => code !== 'HTEST');
  const isTaggedFor = tags.some((code) => isBelowPurpose(inquiry.purpose, { system: V3_ACT_REASON, code }));
  return tags.length && !isTaggedFor ? refuse('deny', 'data-purpose-conflict', inquiry) : undefined;
}
