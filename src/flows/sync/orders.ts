/** What of a sync can become a job, and under which name. Pure. */
import type { Task } from '@medplum/fhirtypes';
import type { ReplicatedType } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import { FAULTS } from '../../observability/fault.ts';
import type { FaultCode } from '../../observability/fault.ts';
import { jobsSearch, typeOf } from '../../queue/job.ts';
import type { Order } from '../../queue/job.ts';
import type { Hint } from './facts.ts';

const CONSENT = 'consent-sync';
const RECHECK = 'patient-recheck';
const SECOND_LOOK = 'patient-second-look';

/**
 * One record to be brought over.
 *
 * @param patientId - Its patient, as far as known: the job looks again.
 * @param hint - The record.
 * @param at - When it is due, in milliseconds since the epoch.
 * @returns The order: `encounter-sync`, `allergy-intolerance-sync`, …
 */
export function recordOrder(patientId: string, { resourceType, id }: Hint, at: number): Order {
  const record = `${resourceType}/${id}`;
  return { type: `${kebab(resourceType)}-sync`, key: record, focus: record, patient: `Patient/${patientId}`, at };
}

/**
 * A Consent to be carried through. It may be a revocation, so it goes first.
 *
 * @param patientId - Its patient.
 * @param consent - `Consent/id`.
 * @param at - When it is due, in milliseconds since the epoch.
 * @returns The order.
 */
export function consentOrder(patientId: string, consent: string, at: number): Order {
  return { type: CONSENT, key: consent, focus: consent, patient: `Patient/${patientId}`, at, isUrgent: true };
}

/**
 * Everything of a patient to be looked at.
 *
 * @param patientId - The patient.
 * @param at - When it is due, in milliseconds since the epoch.
 * @returns The order: a Consent may end at that instant, so it goes first.
 */
export function recheckOrder(patientId: string, at: number): Order {
  const patient = `Patient/${patientId}`;
  return { type: RECHECK, key: patient, focus: patient, patient, at, isUrgent: true };
}

/**
 * Everything of a patient to be looked at once more after an erasure. A job of its own for each such instant: if it were merged into one that is due
 * sooner, a writer who comes after that one would be met by nobody.
 *
 * @param patientId - The patient.
 * @param at - When it is due, in milliseconds since the epoch.
 * @returns The order.
 */
export function secondLookOrder(patientId: string, at: number): Order {
  return { ...recheckOrder(patientId, at), type: SECOND_LOOK, key: `Patient/${patientId}-${at / 1000}` };
}

/**
 * @param systems - Our systems.
 * @param patientId - A patient.
 * @returns The FHIR-relative search for a second look that is still to come.
 */
export function secondLookSearch(systems: Systems, patientId: string): string {
  return `${jobsSearch(systems, SECOND_LOOK)}&patient=Patient/${patientId}&status=requested&_count=1`;
}

/** What a job asks for. */
export type Asked =
  | { readonly kind: 'record'; readonly patientId: string; readonly resourceType: ReplicatedType; readonly id: string }
  | { readonly kind: 'patient'; readonly patientId: string; readonly isSecondLook: boolean }
  | { readonly kind: 'consent'; readonly patientId: string; readonly consent: string };

/**
 * @param systems - Our systems.
 * @param task - A job.
 * @returns What it asks for; undefined for a job that nobody here has made.
 */
export function askedBy(systems: Systems, task: Task): Asked | undefined {
  const [, patientId] = /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(task.for?.reference ?? '') ?? [];
  const [, resourceType, id] = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})$/.exec(task.focus?.reference ?? '') ?? [];
  if (!patientId || !resourceType || !id) {
    return undefined;
  }
  switch (typeOf(systems, task)) {
    case CONSENT:
      return { kind: 'consent', patientId, consent: `${resourceType}/${id}` };
    case SECOND_LOOK:
      return { kind: 'patient', patientId, isSecondLook: true };
    case RECHECK:
    // What a Patient says decides on all of the patient's copies.
    case 'patient-sync':
      return { kind: 'patient', patientId, isSecondLook: false };
    case `${kebab(resourceType)}-sync`:
      return { kind: 'record', patientId, resourceType: resourceType as ReplicatedType, id };
    default:
      return undefined;
  }
}

/** What a fault says about other deliveries, and about trying again. */
export type Verdict =
  /** Nothing can be delivered at all. */
  | 'hold'
  /** It may be so, or it is this record: a probe tells. */
  | 'probe'
  /** It may work later. */
  | 'again'
  /** It will not. */
  | 'dead';

const VERDICTS: Partial<Readonly<Record<FaultCode, Verdict>>> = {
  'replica-throttled': 'hold',
  'replica-unavailable': 'probe',
  'replica-unauthorised': 'probe',
  'replica-wrong-project': 'probe',
};

/**
 * @param code - Of a fault; undefined for an error that is not ours.
 * @returns What it means for the queue.
 */
export function verdictOn(code: FaultCode | undefined): Verdict {
  const known = code && VERDICTS[code];
  return known ?? (code && !FAULTS[code].retryable ? 'dead' : 'again');
}

function kebab(type: string): string {
  return type.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}
