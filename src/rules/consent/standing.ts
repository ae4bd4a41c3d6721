/** Which Consents count (rules 1 and 3 to 6, 22 and 23): patient, status, category, scope, date, verification, later versions. */
import type { Consent } from '@medplum/fhirtypes';
import { V3_ACT_CODE } from '../../fhir/systems.ts';
import { codesOf, codingsOf } from './coding.ts';
import type { Obligation, SilenceReason } from './decision.ts';
import type { Inquiry } from './inquiry.ts';
import { oncePer } from './once.ts';
import type { Span } from './period.ts';
import { spanOf } from './period.ts';
import { isBelowPurpose, isResearch } from './purpose.ts';
import { targetOf } from './reference.ts';
import { V3_ACT_REASON } from '../../fhir/systems.ts';

export const SCOPE = 'http://terminology.hl7.org/CodeSystem/consentscope';
const CATEGORY = 'http://terminology.hl7.org/CodeSystem/consentcategorycodes';

/** Notices, advance directives and orders: not consents to share. */
const NEVER_PERMIT = ['npp', 'acd', 'dnr', 'hcd', 'polst'];

/** Why a Consent does not speak at all, or why it may deny but not permit. */
export interface Standing {
  readonly silent?: SilenceReason | 'superseded';
  readonly mayNotPermit?: SilenceReason;
}

/**
 * How far a Consent counts.
 *
 * @param consent - The Consent.
 * @param all - All Consents that were read; a later version of the same statement supersedes.
 * @param inquiry - The request.
 * @returns Nothing if it counts fully.
 */
export function standingOf(consent: Consent, all: readonly Consent[], inquiry: Inquiry): Standing {
  if (targetOf(consent.patient) !== inquiry.patient) {
    return { silent: 'patient' };
  }
  if (consent.status !== 'active') {
    return { silent: 'status' };
  }
  if (all.some((other) => supersedes(other, consent, inquiry))) {
    return { silent: 'superseded' };
  }
  const category = isNeverPermitting(consent) || isOutsideEmergency(consent, inquiry) ? 'category' : undefined;
  const scope = scopeOf(consent, inquiry);
  if (scope === false) {
    return { silent: category ?? 'scope' };
  }
  const given = givenAt(consent, inquiry);
  if (given !== undefined && given.from > inquiry.at) {
    return { silent: category ?? 'not-yet-given' };
  }
  const isUndatable = consent.dateTime !== undefined && given === undefined;
  const limit =
    category ??
    (scope ? (isUndatable ? 'not-yet-given' : isUnverified(consent, inquiry) ? 'unverified' : undefined) : 'scope');
  return limit ? { mayNotPermit: limit } : {};
}

function givenAt(consent: Consent, { utcOffsetMinutes }: Inquiry): Span | undefined {
  return utcOffsetMinutes === 0 ? givenInUtc(consent) : spanOf(consent.dateTime, utcOffsetMinutes);
}

const givenInUtc = oncePer(({ dateTime }: Consent) => spanOf(dateTime, 0));

/**
 * Whether all categories are notices, advance directives or orders.
 *
 * @param consent - The Consent.
 * @returns True if it can never permit; its denial counts (rule 6).
 */
export function isNeverPermitting(consent: Consent): boolean {
  return neverPermits(consent);
}

const neverPermits = oncePer((consent: Consent): boolean => {
  const codings = codingsOf(consent.category);
  const others = codings.filter((coding) => !codesOf([coding], SCOPE).length);
  return (
    others.length > 0 &&
    others.every((coding) => codesOf([coding], CATEGORY).some((code) => NEVER_PERMIT.includes(code)))
  );
});

/**
 * A Consent for emergencies only (consentcategorycodes `emrgonly`, v3-ActCode `EMRGONLY`, as category or policy) permits emergency
 * treatment and what lies below it, however wide its provisions are; its denial counts.
 */
function isOutsideEmergency(consent: Consent, { purpose }: Inquiry): boolean {
  return isEmergencyOnly(consent) && !isBelowPurpose(purpose, { system: V3_ACT_REASON, code: 'ETREAT' });
}

const isEmergencyOnly = oncePer((consent: Consent): boolean => {
  const codings = [...codingsOf(consent.category), ...(consent.policyRule?.coding ?? [])];
  const isStated = (system: string): boolean => codesOf(codings, system).some((code) => /^emrgonly$/i.test(code));
  return isStated(CATEGORY) || isStated(V3_ACT_CODE);
});

const scopesOf = oncePer((consent: Consent): readonly string[] => {
  const own = codesOf(consent.scope?.coding, SCOPE);
  const scopes = own.length ? own : codesOf(codingsOf(consent.category), SCOPE);
  return scopes;
});

/** False if every scope excludes the request, undefined if there is none that we know or if they disagree. LEAP puts scopes into `category`. */
function scopeOf(consent: Consent, { purpose }: Inquiry): boolean | undefined {
  const scopes = scopesOf(consent);
  const isForResearch = isResearch(purpose) || (!!purpose.system && purpose.system !== V3_ACT_REASON);
  const covers = (scope: string): boolean => scope === 'patient-privacy' || (scope === 'research' && isForResearch);
  const excludes = (scope: string): boolean =>
    scope === 'treatment' || scope === 'adr' || (scope === 'research' && !isForResearch);
  return scopes.some(covers) && !scopes.some((scope) => excludes(scope) && scope !== 'research')
    ? true
    : scopes.length > 0 && scopes.every(excludes)
      ? false
      : undefined;
}

/**
 * Whether a Consent is of scope research.
 *
 * @param consent - The Consent.
 * @returns True if `scope` or `category` says so.
 */
export function isResearchScoped(consent: Consent): boolean {
  return scopesOf(consent).includes('research');
}

/** The latest entry decides; entries whose order cannot be told are all latest. */
function isUnverified({ verification = [] }: Consent, { utcOffsetMinutes }: Inquiry): boolean {
  const dated = verification.map((entry) => ({ entry, span: spanOf(entry.verificationDate, utcOffsetMinutes) }));
  const latest = Math.max(...dated.map(({ span }) => span?.from ?? -Infinity));
  return dated.some(({ entry, span }) => !entry.verified && (!span || span.until > latest));
}

/** Rule 22: same business identifier, same patient, both active, given, and certainly later. */
function supersedes(later: Consent, earlier: Consent, inquiry: Inquiry): boolean {
  if (
    later === earlier ||
    !earlier.identifier ||
    later.status !== 'active' ||
    targetOf(later.patient) !== inquiry.patient
  ) {
    return false;
  }
  const before = givenAt(earlier, inquiry);
  const after = givenAt(later, inquiry);
  const isLater = !!before && !!after && after.from <= inquiry.at && before.until <= after.from;
  return (
    isLater &&
    earlier.identifier.some(
      (a) => a.system && a.value && later.identifier?.some((b) => a.system === b.system && a.value === b.value)
    )
  );
}

/**
 * What a permit of this Consent obliges to.
 *
 * @param consent - The Consent.
 * @returns The obligations.
 */
export function obligationsOf(consent: Consent): readonly Obligation[] {
  return obligations(consent);
}

const obligations = oncePer((consent: Consent): readonly Obligation[] => {
  const categories = codesOf(codingsOf(consent.category), CATEGORY);
  const rules = codesOf([...(consent.policyRule?.coding ?? []), ...(consent.meta?.security ?? [])], V3_ACT_CODE);
  return [
    ...(categories.includes('rsdid') ? ['no-crosswalk' as const] : []),
    ...(categories.includes('rsreid') ? ['reidentify-only-as-consented' as const] : []),
    ...(rules.includes('NORDSCLCD') ? ['no-redisclosure' as const] : []),
  ];
});
