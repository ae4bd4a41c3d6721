/** A decision in one sentence for an operator or an auditor: codes of closed lists and ids of Consents, nothing of the data. */
import type { Decision, DenyReason, PermitReason, RefusalReason, SilenceReason } from './decision.ts';

const PERMITS: Readonly<Record<PermitReason, string>> = {
  'root-permit': 'its root provision permits',
  'nested-exception': 'a nested provision permits',
  'policy-rule': 'its policy permits',
};

const DENIES: Readonly<Record<DenyReason, string>> = {
  'root-deny': 'its root provision denies',
  'nested-exception': 'a nested provision denies',
  'policy-rule': 'its policy denies',
  'ambiguous-root': 'its root has no type, and one of the two readings denies',
  uninterpretable: 'it holds something that we must not ignore and cannot interpret',
  'policy-conflict': 'its policy opts out and its provision permits everything',
  'wrong-patient': 'the resource does not name exactly this one patient',
  'data-purpose-conflict': 'the data are tagged for another purpose',
  genetics: 'genetic data are never copied',
  unclassified: 'the resource belongs to no class of data that we know',
};

const SILENCES: Readonly<Record<SilenceReason, string>> = {
  'no-consents': 'the patient has no Consent',
  patient: 'it is of another patient',
  status: 'it is not active',
  category: 'its category is not a consent to share',
  scope: 'its scope does not cover this',
  'not-yet-given': 'it is not given yet',
  unverified: 'its latest verification failed',
  period: 'the time is outside its period',
  purpose: 'the purpose is not among those listed',
  'purpose-not-stated': 'it does not state the purpose, which is not treatment',
  actor: 'the actor is not among those listed',
  action: 'a copy is a disclosure, and that action is not listed',
  securityLabel: 'the security labels are not covered, or the data carry none',
  class: 'the class of the data is not listed',
  code: 'the code of the data is not listed',
  dataPeriod: 'the data are undated or outside the data period',
  data: 'the resource is not among the data listed',
  'label-not-named': 'no deciding provision names the restricted label of the data',
};

/**
 * Says a decision in one sentence.
 *
 * @param decision - Of `evaluate` or `mayReplicate`.
 * @returns The sentence, without PHI.
 */
export function explain(decision: Decision): string {
  const { consent, path, purpose, validUntil, obligations } = decision;
  const source = consent && `Consent ${consent.id || '(no id)'}${consent.versionId && ` version ${consent.versionId}`}`;
  const where = path ? ` (${path})` : '';
  const until = validUntil ? `, until ${validUntil} at the latest` : '';
  if (decision.decision === 'permit') {
    const duty = obligations.length ? `; obligations: ${obligations.join(', ')}` : '';
    return `Permitted for ${purpose} by ${source}${where}: ${PERMITS[decision.reason]}${until}${duty}.`;
  }
  const why = reasonOf(decision.decision, decision.reason);
  if (!source) {
    return `Refused for ${purpose}: ${why}${until}.`;
  }
  return decision.decision === 'deny'
    ? `Refused for ${purpose} by ${source}${where}: ${why}${until}.`
    : `Refused for ${purpose} because no Consent permits; the nearest is ${source}${where}: ${why}${until}.`;
}

function reasonOf(decision: 'deny' | 'no-consent', reason: RefusalReason): string {
  const table: Readonly<Record<string, string>> = decision === 'deny' ? DENIES : SILENCES;
  return table[reason] ?? reason;
}
