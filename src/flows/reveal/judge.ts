/** Facts and an ask → whether the original is shown. Pure. */
import type { Resource } from '@medplum/fhirtypes';
import type { Config } from '../../config/load.ts';
import { V3_ACT_REASON } from '../../fhir/systems.ts';
import { mayAsk } from '../../rules/access/reveal.ts';
import type { AskRefusal } from '../../rules/access/reveal.ts';
import { actorsOf, rolesOf } from '../../rules/access/role.ts';
import type { Requester, Role } from '../../rules/access/role.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import { evaluate } from '../../rules/consent/evaluate.ts';
import { isResearch } from '../../rules/consent/purpose.ts';
import type { RevealFacts } from './facts.ts';
import type { Ask } from './input.ts';

/** Why nothing is shown. */
export type RevealRefusal =
  AskRefusal | 'input-invalid' | 'no-key' | 'unknown-token' | 'no-payload' | 'unreadable' | `consent-${string}`;

/** What an ask comes to so far. */
export interface Judged {
  readonly refusal?: RevealRefusal;
  readonly role?: Role;
  readonly needsConsent?: boolean;
}

type RevealAsk = Exclude<Ask, { readonly kind: 'list' }>;

/** In whose name, and when. */
export interface Asking {
  readonly config: Config;
  readonly requester: string | undefined;
  readonly at: string;
}

/**
 * Judges everything but the Consent, which is asked about the original itself.
 *
 * @param ask - What is asked.
 * @param facts - The state of the source.
 * @param asking - In whose name, and when.
 * @returns The role that counts, or a refusal. Who has no standing learns nothing of whether the token exists.
 */
export function judgeStanding(ask: RevealAsk, facts: RevealFacts, asking: Asking): Judged {
  const { systems } = asking.config;
  const roles = rolesOf(requesterOf(facts, asking), {
    patientId: facts.patientId,
    roleSystem: systems.role,
    at: asking.at,
  });
  const standing = mayAsk(roles, {
    isResearch: isResearch({ system: V3_ACT_REASON, code: ask.purpose }),
    isBreakGlass: ask.kind === 'break-glass',
  });
  if (!standing.ok) {
    return { refusal: standing.reason, ...(standing.role && { role: standing.role }) };
  }
  const { role, needsConsent } = standing;
  if (facts.patientId === undefined) {
    return { refusal: 'unknown-token', role };
  }
  return facts.kept?.binary === undefined || !facts.patient ? { refusal: 'no-payload', role } : { role, needsConsent };
}

/**
 * Asks the Consents. What is shown leaves through an interface that lets it be stored, so it is a disclosure; a Consent that
 * permits `access` alone is enough as well, since it is the requester who looks. A denial of either is a denial.
 *
 * @param ask - What is asked.
 * @param facts - The state of the source.
 * @param original - What would be shown.
 * @param asking - In whose name, and when.
 * @returns The decision, with its evidence.
 */
export function judgeConsent(ask: RevealAsk, facts: RevealFacts, original: Resource, asking: Asking): Decision {
  const { config, at } = asking;
  // Of the Patient the newest version counts: a label that was just put on it counts at once.
  const resource = original.resourceType === 'Patient' && facts.patient ? facts.patient : original;
  const decide = (action: string): Decision =>
    evaluate(facts.consents, {
      patient: `Patient/${facts.patientId}`,
      purpose: ask.purpose,
      actor: actorsOf(requesterOf(facts, asking), at),
      action,
      resource,
      at,
      dataClassSystem: config.systems.dataClass,
    });
  const [disclose, access] = [decide('disclose'), decide('access')];
  if (disclose.decision === 'deny') {
    return disclose;
  }
  return access.decision === 'deny' || access.decision === 'permit' ? access : disclose;
}

/**
 * Judges who may see the list of broken glass.
 *
 * @param facts - Facts without a token.
 * @param asking - In whose name, and when.
 * @returns The role ADMIN, or a refusal.
 */
export function judgeList(facts: RevealFacts, asking: Asking): Judged {
  const { systems } = asking.config;
  const setting = { patientId: undefined, roleSystem: systems.role, at: asking.at };
  const roles = rolesOf(requesterOf(facts, asking), setting);
  return roles.includes('ADMIN') ? { role: 'ADMIN' } : { refusal: 'no-role', ...(roles[0] && { role: roles[0] }) };
}

function requesterOf({ roles, encounters }: RevealFacts, { requester, config }: Asking): Requester {
  return { reference: requester, roles, encounters, adminClients: config.revealClients };
}
