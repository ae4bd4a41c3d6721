/** How to write what the lint finds ambiguous. Apart from the findings, so that a bot need not carry the sentences. */
import type { LintCode } from './lint.ts';

export const ADVICE: Readonly<Record<LintCode, string>> = {
  'untyped-root':
    'R4 calls the root provision an exception to the policy, and most writers mean its context: the two readings differ. Say provision.type permit or deny.',
  'untyped-rule': 'R4 requires type in nested provisions. Without it the rule only restricts; say permit or deny.',
  'no-rule':
    'There is neither provision.type nor a policyRule OPTIN or OPTOUT: it refuses everything. Say provision.type.',
  'policy-conflict':
    'policyRule opts out and the root permits everything: it refuses everything. Say OPTIN, or give the permit a condition.',
  'label-without-confidentiality':
    'A rule by sensitivity decides only on data that carry a confidentiality label too; unlabelled data are withheld. Label the data (meta.security), or say the data by class or code.',
  'label-on-unlabelled-data':
    'A rule by security label withholds every record without a confidentiality label. Label the data (meta.security), or say the data by class or code.',
  'refusal-as-rejected':
    'A Consent of status rejected says nothing, and another active Consent permits. Store the refusal as an active Consent with provision.type deny, or set the other to inactive.',
  'no-scope':
    'Without scope a Consent can refuse but not permit. Say scope patient-privacy, or research for research only.',
  'scope-in-category': 'The scope stands in category. It is understood here; R4 has the element scope for it.',
  'no-purpose':
    'A permit that states no purpose covers treatment only. Say provision.purpose: TREAT, and HRESCH, HPAYMT, … if they are meant.',
  'view-only':
    'The actions permit to look, not to copy: nothing is replicated. Say provision.action disclose as well, if copies are meant.',
  'category-never-permits':
    'Its categories are a notice, an advance directive or an order, never a consent to share. Say a category such as LOINC 59284-0.',
  uninterpretable:
    'It holds a modifierExtension or implicitRules, which must not be ignored, or is not built as R4 says (R5 has a list of provisions): it refuses everything. Say it in elements of R4.',
};
