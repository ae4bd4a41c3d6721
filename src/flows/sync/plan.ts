/** Facts → what has to be done about one record. Pure: no effects, no clock, no chance. */
import type { Resource } from '@medplum/fhirtypes';
import { keepsOriginal, NARROW, patientIdOf } from '../../config/policy.ts';
import type { ReplicatedType, StubType } from '../../config/policy.ts';
import type { Config } from '../../config/load.ts';
import type { Sealed } from '../../fhir/sealed.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import { mayReplicate } from '../../rules/consent/gate.ts';
import { deidentify } from '../../rules/deid/deidentify.ts';
import type { DeidReason, StubName, Stubs } from '../../rules/deid/deidentify.ts';
import type { PatientKeys } from '../../rules/deid/keys.ts';
import { isHeldBack } from './documents.ts';
import { keyOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';

/** What a plan is made by, besides the facts. */
export interface Rules {
  readonly config: Config;
  readonly keys: PatientKeys;
  readonly stubs?: Stubs | undefined;
  /** The instant of the decision. */
  readonly at: string;
  /** Which records were found to have a copy, by `Type/id`: children of one Encounter ask the same question again and again. */
  readonly memo: Map<string, boolean>;
  /** Which Encounters were found to be finished, by id, where the facts do not hold them. */
  readonly finished?: Map<string, boolean>;
}

/** Why a record has no copy. Consent and de-identification add their own reasons. */
export type Reason =
  | 'deleted'
  | 'patient-deleted'
  | 'patient-merged'
  | 'marked-no-sync'
  | 'other-patient'
  | 'encounter-unfinished'
  | `consent-${string}`
  | DeidReason;

/** A stub that a copy refers to. */
export interface StubTarget {
  /** `Type/id` in the source. */
  readonly reference: string;
  readonly resourceType: StubType;
  readonly token: string;
  readonly tokenSystem: string;
}

/** The record that a plan is about, under its pseudonym. */
export interface Target {
  /** `Type/id` in the source; absent when the source no longer has it. */
  readonly reference?: string;
  readonly resourceType: ReplicatedType;
  readonly token: string;
  readonly tokenSystem: string;
}

export type Plan =
  | {
      readonly action: 'put';
      readonly target: Target;
      readonly sealed: Sealed;
      readonly decision: Decision;
      /** The records that the copy refers to, Patient first. */
      readonly parents: readonly Target[];
      /** The stubs that it refers to. */
      readonly stubs: readonly StubTarget[];
      /** Whether the original is kept, encrypted, beside the copy. */
      readonly keepsOriginal?: boolean;
    }
  | {
      readonly action: 'withdraw' | 'skip';
      readonly target: Target;
      readonly reason: Reason;
      readonly decision?: Decision;
    }
  | { readonly action: 'quarantine'; readonly target: Target; readonly reason: DeidReason };

export type PutPlan = Extract<Plan, { readonly action: 'put' }>;

/**
 * Plans one record.
 *
 * @param facts - The state of the patient's record.
 * @param hint - Which record.
 * @param rules - Settings, keys, time.
 * @returns The plan.
 */
export function plan(facts: Facts, hint: Hint, rules: Rules): Plan {
  const target = targetOf(hint, rules);
  const record = facts.records.get(keyOf(hint));
  // Nothing was ever sent for a patient without a link, so there is nothing to take back.
  const withhold = (reason: Reason, decision?: Decision): Plan => ({
    action: facts.isLinked ? 'withdraw' : 'skip',
    target,
    reason,
    ...(decision && { decision }),
  });
  if (!record) {
    return withhold('deleted');
  }
  if (!facts.patient) {
    return withhold('patient-deleted');
  }
  if (patientIdOf(record) !== facts.patientId) {
    return withhold('other-patient');
  }
  if (facts.patient.link?.some(({ type }) => type === 'replaced-by')) {
    return withhold('patient-merged');
  }
  if (isMarkedNoSync(record, rules) || isMarkedNoSync(facts.patient, rules)) {
    return withhold('marked-no-sync');
  }
  const decision = decide(facts, record, rules);
  if (decision.decision !== 'permit') {
    return withhold(`consent-${decision.reason}`, decision);
  }
  if (isHeldBack(facts, record, rules)) {
    return withhold('encounter-unfinished', decision);
  }
  const parents = parentsOf(facts, hint, rules);
  const hasOriginal = mayKeepOriginal(hint, decision, rules);
  const result = deidentify(record, {
    keys: rules.keys,
    systems: rules.config.systems,
    profile: rules.config.profile,
    narrow: NARROW,
    at: rules.at,
    patient: facts.patient,
    replicated: new Set(parents.map(({ reference }) => `${reference}`)),
    stubs: rules.stubs,
    hasOriginal,
  });
  if (!result.ok) {
    return { action: 'quarantine', target, reason: result.reason };
  }
  const stubs = result.stubs.map((name) => stubTargetOf(name, rules));
  return { action: 'put', target, sealed: result.sealed, decision, parents, stubs, keepsOriginal: hasOriginal };
}

function stubTargetOf({ type, id }: StubName, { stubs, config }: Rules): StubTarget {
  return {
    reference: `${type}/${id}`,
    resourceType: type as StubType,
    token: stubs?.keys.token(type, id) ?? '',
    tokenSystem: config.systems.resourceToken,
  };
}

/**
 * The copies that a copy refers to, to go along when the replica does not know them yet.
 *
 * @param facts - The facts that the copy was planned from.
 * @param parents - From its plan.
 * @param rules - Settings, keys, time.
 * @returns The plans of those that may be there, Patient first.
 */
export function planParents(facts: Facts, parents: readonly Target[], rules: Rules): PutPlan[] {
  return parents.flatMap(({ resourceType, reference }) => {
    const planned = plan(facts, { resourceType, id: reference?.split('/')[1] ?? '' }, rules);
    return planned.action === 'put' ? [planned] : [];
  });
}

/**
 * @param hint - A record.
 * @param rules - Settings and keys.
 * @returns The record under its pseudonym.
 */
export function targetOf({ resourceType, id }: Hint, { config, keys }: Pick<Rules, 'config' | 'keys'>): Target {
  const isPatient = resourceType === 'Patient';
  return {
    reference: `${resourceType}/${id}`,
    resourceType,
    token: isPatient ? keys.patientToken : keys.token(resourceType, id),
    tokenSystem: isPatient ? config.systems.patientToken : config.systems.resourceToken,
  };
}

/**
 * @param facts - The state of the patient's record.
 * @param resource - A record of the patient.
 * @param rules - For whom and for what, and the time.
 * @returns What the Consents say about it.
 */
export function decide(
  facts: Pick<Facts, 'consents' | 'patientId'>,
  resource: Resource,
  { config, at }: { readonly config: Pick<Config, 'consent' | 'systems'>; readonly at: string }
): Decision {
  return mayReplicate(facts.consents, {
    patient: `Patient/${facts.patientId}`,
    purpose: config.consent.purpose,
    ...(config.consent.actors.length > 0 && { actor: config.consent.actors }),
    resource,
    at,
    dataClassSystem: config.systems.dataClass,
  });
}

/** Where the Consent wants no way back from the copy, there is none. */
function mayKeepOriginal({ resourceType }: Hint, { obligations }: Decision, { config }: Rules): boolean {
  return config.payloadKey !== undefined && keepsOriginal(resourceType) && !obligations.includes('no-crosswalk');
}

/** The seeds' `fhirSyncEnabled=false`. */
function isMarkedNoSync(resource: Resource, { config }: Rules): boolean {
  return resource.meta?.tag?.some(({ system, code }) => system === config.systems.sync && code === 'no-sync') ?? false;
}

/** A reference stays a reference only where its target has a copy by the same rules; elsewhere it becomes a token. */
function parentsOf(facts: Facts, { resourceType, encounterId }: Hint, rules: Rules): Target[] {
  const parents: Hint[] = [
    ...(resourceType === 'Patient' ? [] : [{ resourceType: 'Patient', id: facts.patientId } as const]),
    ...(encounterId ? [{ resourceType: 'Encounter', id: encounterId } as const] : []),
  ];
  return parents.filter((parent) => hasCopy(facts, parent, rules)).map((parent) => targetOf(parent, rules));
}

function hasCopy(facts: Facts, hint: Hint, rules: Rules): boolean {
  const known = rules.memo.get(keyOf(hint));
  if (known !== undefined) {
    return known;
  }
  const answer = plan(facts, hint, rules).action === 'put';
  rules.memo.set(keyOf(hint), answer);
  return answer;
}
