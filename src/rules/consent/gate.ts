/** The house rules of replication on top of the Consents: no genetics, nothing unclassified, restricted data only by name. */
import type { Consent } from '@medplum/fhirtypes';
import { combine, refuse } from './combine.ts';
import type { Decision } from './decision.ts';
import { refuseData } from './evaluate.ts';
import type { ConsentRequest, Inquiry } from './inquiry.ts';
import { readRequest } from './inquiry.ts';
import { namesRestrictions } from './label.ts';
import type { Verdict } from './verdict.ts';
import { verdictsOf } from './verdict.ts';

/**
 * Decides whether a resource may be copied to the replica.
 *
 * @param consents - All Consents of the patient that were read, active or not.
 * @param request - What is asked.
 * @returns The decision; it permits nothing that `evaluate` refuses.
 */
export function mayReplicate(consents: readonly Consent[], request: ConsentRequest): Decision {
  const inquiry = readRequest(request);
  return (
    refuseData(inquiry) ??
    refuseClass(inquiry) ??
    combine(requireNames(verdictsOf(consents, inquiry), inquiry), inquiry)
  );
}

function refuseClass(inquiry: Inquiry): Decision | undefined {
  const classes = inquiry.classes();
  if (classes.includes('GENETICS')) {
    return refuse('deny', 'genetics', inquiry);
  }
  return classes.length ? undefined : refuse('deny', 'unclassified', inquiry);
}

/** A permit whose deciding provision does not name the restricted labels of the data says nothing about them. */
function requireNames(verdicts: readonly Verdict[], { labels }: Inquiry): Verdict[] {
  return verdicts.map((verdict) =>
    verdict.decision === 'permit' && !namesRestrictions(verdict.labels ?? [], labels)
      ? { ...verdict, decision: 'no-consent', reason: 'label-not-named' }
      : verdict
  );
}
