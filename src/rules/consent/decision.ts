/** The answer and its evidence. The lists are closed: what is not in them is not a reason. */

export const PERMIT_REASONS = ['root-permit', 'nested-exception', 'policy-rule'] as const;
export type PermitReason = (typeof PERMIT_REASONS)[number];

/** Of several denies the first of this order is given. `genetics` and `unclassified` are rules of the house. */
export const DENY_REASONS = [
  'root-deny',
  'nested-exception',
  'policy-rule',
  'ambiguous-root',
  'uninterpretable',
  'policy-conflict',
  'wrong-patient',
  'data-purpose-conflict',
  'genetics',
  'unclassified',
] as const;
export type DenyReason = (typeof DENY_REASONS)[number];

/** The elements of a provision that are conditions, in the order in which they are tested. */
export const DIMENSIONS = [
  'period',
  'purpose',
  'actor',
  'action',
  'securityLabel',
  'class',
  'code',
  'dataPeriod',
  'data',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Of several Consents that do not permit, the reason that came furthest in this order is given. */
export const SILENCE_REASONS = [
  'no-consents',
  'patient',
  'status',
  'category',
  'scope',
  'not-yet-given',
  'unverified',
  'period',
  'purpose',
  'purpose-not-stated',
  'actor',
  'action',
  'securityLabel',
  'class',
  'code',
  'dataPeriod',
  'data',
  'label-not-named',
] as const;
export type SilenceReason = (typeof SILENCE_REASONS)[number];

export type RefusalReason = DenyReason | SilenceReason;

/** `no-crosswalk`: nothing may lead back from the copy to the patient (rsdid). */
export const OBLIGATIONS = ['no-crosswalk', 'reidentify-only-as-consented', 'no-redisclosure'] as const;
export type Obligation = (typeof OBLIGATIONS)[number];

/** A version of a Consent. */
export interface ConsentVersion {
  readonly id: string;
  readonly versionId: string;
}

/** One condition of the deciding provision. Source-side evidence: references and codes of the data are PHI. */
export interface DimensionEvidence {
  readonly dimension: Dimension;
  readonly requested: readonly string[];
  readonly listed: readonly string[];
  readonly holds: 'true' | 'false' | 'unknown';
}

/** What one Consent said. */
export interface Considered extends ConsentVersion {
  readonly decision: 'permit' | 'deny' | 'no-consent';
  readonly reason: PermitReason | RefusalReason | 'superseded';
  /** `policy.uri` that we do not interpret: they never widen (rule 8). */
  readonly policies?: readonly string[];
}

interface Evidence {
  /** The v3-ActReason code asked for; `other` for a code of another system. */
  readonly purpose: string;
  readonly obligations: readonly Obligation[];
  /** The earliest instant at which the answer could change without a write; absent if there is none. */
  readonly validUntil?: string;
  /** Every Consent that was read, ordered by id. */
  readonly considered: readonly Considered[];
}

/** A copy may be made. */
export interface Permit extends Evidence {
  readonly decision: 'permit';
  readonly reason: PermitReason;
  readonly consent: ConsentVersion;
  /** The deciding provision, `provision.provision[1]`, or `policyRule`. */
  readonly path: string;
  readonly dimensions: readonly DimensionEvidence[];
}

/** No copy: a rule says no, or we cannot interpret (`deny`), or nothing says yes (`no-consent`). */
export interface Refusal extends Evidence {
  readonly decision: 'deny' | 'no-consent';
  readonly reason: RefusalReason;
  readonly consent?: ConsentVersion;
  readonly path?: string;
  readonly dimensions: readonly DimensionEvidence[];
}

export type Decision = Permit | Refusal;
