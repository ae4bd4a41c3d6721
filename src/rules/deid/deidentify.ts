/** De-identification of one resource: refuse, transform, prove, seal. */
import type { Patient, Resource } from '@medplum/fhirtypes';
import { canonical } from '../../fhir/canonical.ts';
import type { Sealed } from '../../fhir/sealed.ts';
import { seal } from '../../fhir/sealed.ts';
import { V3_OBSERVATION_VALUE } from '../../fhir/systems.ts';
import { birthYear, isOver89 } from './ages.ts';
import { masked } from './codings.ts';
import type { DateRule } from './dates.ts';
import type { PatientKeys } from './keys.ts';
import { completeObservation } from './observation.ts';
import type { DeidContext, Pass, StubName } from './pass.ts';
import { completePatient } from './patient.ts';
import { payloadPointer } from './payload.ts';
import { policyVersion } from './policy-version.ts';
import type { Policy } from './policy-version.ts';
import type { DeidReason } from './reasons.ts';
import { patientReference } from './references.ts';
import type { Target } from './references.ts';
import { residue } from './residue.ts';
import type { PatientFacts } from './sweep.ts';
import { factsOf, factsOfStub } from './sweep.ts';
import { placeOf } from './place.ts';
import { tablesWithout } from './tables.ts';
import type { Tables } from './tables.ts';
import type { Draft, Fields } from './walk.ts';
import { walkResource } from './walk.ts';

export type { DeidContext, Profile, StubName, Stubs } from './pass.ts';
export type { DeidReason } from './reasons.ts';

/** The stubs, and whether they can have several addresses. */
const PLACES: Readonly<Record<string, boolean>> = { Practitioner: true, Organization: true, Location: false };

/** A sealed copy, or why there is none. */
export type Deidentified<R extends Resource = Resource> =
  | {
      readonly ok: true;
      readonly sealed: Sealed<R>;
      /** What the copy refers to that is of no patient. */
      readonly stubs: readonly StubName[];
    }
  | { readonly ok: false; readonly reason: DeidReason };

/**
 * De-identifies one resource. Pure: equal arguments give an equal copy.
 *
 * @param resource - A source resource of the context's patient. Unknown content is expected and does not leave.
 * @param context - The patient, the keys and what else is known.
 * @returns The sealed copy, or a reason that names no value.
 */
export function deidentify<R extends Resource>(resource: R, context: DeidContext): Deidentified<R> {
  return deidentifier(context)(resource);
}

/**
 * De-identification of many resources of one patient: the facts for the sweep are gathered once.
 *
 * @param context - The patient, the keys and what else is known.
 * @returns `deidentify` for this context.
 */
export function deidentifier(context: DeidContext): <R extends Resource>(resource: R) => Deidentified<R> {
  let facts: PatientFacts | undefined;
  const stubs = new Map<string, StubName>();
  const transform = transformer(context, stubs);
  return <R extends Resource>(resource: R): Deidentified<R> => {
    stubs.clear();
    const draft = transform(resource);
    if (typeof draft === 'string') return { ok: false, reason: draft };
    const { keys, systems, profile, at, patient } = context;
    facts ??= factsUnder(keys, patient);
    // A Patient may be a later version of the context's: its own new name counts.
    const own = resource.resourceType === 'Patient' ? factsOf(resource) : facts;
    const hasStubs = context.stubs !== undefined;
    const hit = residue(draft, { keys, systems, profile, at, facts: own, source: resource, hasStubs });
    if (hit) return { ok: false, reason: hit };
    return { ok: true, sealed: label<R>(draft, context), stubs: [...stubs.values()] };
  };
}

/** It is of no patient. */
const NOBODY: Patient = { resourceType: 'Patient', id: 'nobody' };

/**
 * De-identifies a practitioner, an organization or a place. What must not be found in the stub are its own names, identifiers, addresses
 * and contacts.
 *
 * @param resource - The source resource.
 * @param context - What copies of records are made with, and the project's keys.
 * @returns The sealed stub, or a reason that names no value.
 */
export function deidentifyStub<R extends Resource>(
  resource: R,
  context: Omit<DeidContext, 'patient' | 'replicated'>
): Deidentified<R> {
  const whole: DeidContext = { ...context, patient: NOBODY, replicated: new Set() };
  const draft = transform(resource, whole);
  if (typeof draft === 'string') return { ok: false, reason: draft };
  const { keys, systems, profile, at } = context;
  const hit = residue(draft, { keys, systems, profile, at, facts: factsOfStub(resource), source: resource });
  return hit ? { ok: false, reason: hit } : { ok: true, sealed: label<R>(draft, whole), stubs: [] };
}

/**
 * The facts of the patient that was last asked about under some keys: a plan asks record by record. They hold what dates became under
 * these keys, so other keys have their own.
 */
const lastFacts = new WeakMap<PatientKeys, { readonly patient: Patient; readonly facts: PatientFacts }>();

function factsUnder(keys: PatientKeys, patient: Patient): PatientFacts {
  const last = lastFacts.get(keys);
  if (last?.patient === patient) return last.facts;
  const facts = factsOf(patient);
  lastFacts.set(keys, { patient, facts });
  return facts;
}

/**
 * The digest of a copy's content: keyed, and opened by policy and key version, so that a change of either is a change of the digest.
 *
 * @param content - The copy; its `id` and `meta` do not count.
 * @param keys - The patient's keys.
 * @param policy - The named profile, and what it was narrowed by.
 * @returns For example `p1p6d270523.k1.…`.
 */
export function contentDigest(content: Fields, keys: PatientKeys, policy: Policy): string {
  const rest: Draft = { ...content };
  delete rest['id'];
  delete rest['meta'];
  return digestOf(rest, keys, policy);
}

function digestOf(content: Fields, keys: PatientKeys, policy: Policy): string {
  return `${policyVersion(policy)}.k${String(keys.version)}.${keys.digest(canonical(content))}`;
}

/**
 * The transform alone, without proof: for the benchmark and the tests of `residue`.
 *
 * @param resource - A source resource.
 * @param context - The patient, the keys and what else is known.
 * @returns The copy without meta, or why there is none.
 */
export function transform(resource: Resource, context: DeidContext): Draft | DeidReason {
  return transformer(context)(resource);
}

/**
 * The transform for many resources of one patient.
 *
 * @param context - The patient, the keys and what else is known.
 * @param stubs - Is told what the copy refers to that is of no patient.
 * @returns `transform` for this context.
 */
export function transformer(
  context: DeidContext,
  stubs = new Map<string, StubName>()
): (resource: Resource) => Draft | DeidReason {
  const tables = tablesWithout(context.narrow, context.stubs !== undefined);
  const dates = dateRule(context);
  const self = { path: `Patient/${String(context.patient.id)}`, reference: patientReference(context) };
  const targets = new Map<string, Target>();
  return (resource) => transformOne(resource, { context, dates, self, targets, stubs, refused: undefined }, tables);
}

/**
 * Safe Harbor allows the years of dates, but none that shows an age over 89: what happened ninety years ago to somebody who lives, or
 * whose age is not known.
 */
function dateRule({ keys, profile, patient, at }: DeidContext): DateRule {
  if (profile === 'pseudonymised') return keys;
  const { birthDate, deceasedDateTime } = patient;
  const isYoung = birthYear(birthDate) > 0 && !isOver89(String(birthDate), deceasedDateTime, at);
  return { shiftDays: 0, shiftMs: 0, yearsAfter: isYoung ? 0 : Number(at.slice(0, 4)) - 90 };
}

function transformOne(resource: Resource, pass: Pass, tables: Tables): Draft | DeidReason {
  const { context } = pass;
  const source = resource as unknown as Fields;
  if (typeof resource !== 'object' || resource === null || Array.isArray(resource)) return 'malformed';
  const { resourceType, id } = source;
  const table = typeof resourceType === 'string' ? tables.get(resourceType) : undefined;
  if (typeof resourceType !== 'string' || !table) return 'unsupported-type';
  if (typeof id !== 'string' || id === '' || typeof context.patient.id !== 'string') return 'malformed';
  if (source['implicitRules'] !== undefined) return 'implicit-rules';
  if (resourceType === 'Patient' && id !== context.patient.id) return 'wrong-patient';
  // `focus` says that the content is about a donor, a fetus or a thing: dropped, it would read as about the patient.
  if (source['focus'] !== undefined) return 'other-focus';

  const draft: Draft = { resourceType, identifier: [ownIdentifier(resourceType, id, context)] };
  const isWhole = walkResource(draft, source, table, pass);
  if (pass.refused) return pass.refused;
  if (table.subject !== undefined && draft[table.subject] === undefined) return 'no-subject';
  if (!isWhole) return 'required-element';
  if (Object.hasOwn(PLACES, resourceType)) putState(draft, source, context);
  if (resourceType === 'Patient') completePatient(draft, resource as Patient, context);
  if (resourceType === 'Observation') completeObservation(draft, source);
  if (draft['orderDetail'] !== undefined) draft['code'] ??= masked(); // prr-1
  if (context.hasOriginal) draft['extension'] = [payloadPointer(context.systems, tokenOf(resourceType, id, context))];
  return draft;
}

/** Of a person or place that is not the patient, the state is known and no more. */
function putState(draft: Draft, source: Fields, { narrow }: DeidContext): void {
  if (narrow?.includes(`${String(draft['resourceType'])}.address`)) return;
  const state = placeOf(source['address'])?.state;
  if (state !== undefined) draft['address'] = PLACES[String(draft['resourceType'])] ? [{ state }] : { state };
}

function ownIdentifier(type: string, id: string, context: DeidContext): Draft {
  const { systems } = context;
  const system = type === 'Patient' ? systems.patientToken : systems.resourceToken;
  return { system, value: tokenOf(type, id, context) };
}

function tokenOf(type: string, id: string, { keys }: DeidContext): string {
  return type === 'Patient' ? keys.patientToken : keys.token(type, id);
}

/** Only here, after the proof, is a copy labelled PSEUDED. */
function label<R extends Resource>(draft: Draft, context: DeidContext): Sealed<R> {
  const digest = digestOf(draft, context.keys, context);
  draft['meta'] = {
    security: [{ system: V3_OBSERVATION_VALUE, code: 'PSEUDED' }],
    tag: [{ system: context.systems.digest, code: digest }],
  };
  const [identifier] = draft['identifier'] as [{ readonly system: string; readonly value: string }];
  return seal(draft as unknown as R, { token: identifier.value, tokenSystem: identifier.system, digest });
}
