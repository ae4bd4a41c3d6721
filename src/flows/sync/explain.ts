/** What a sync would do about a record, and why, for a person: reasons, names and tokens, never values. Pure. */
import type { Resource, Task } from '@medplum/fhirtypes';
import { isReplicated } from '../../config/policy.ts';
import type { Config } from '../../config/load.ts';
import { elementsOf } from '../../fhir/elements.ts';
import { elementsWithin } from '../../fhir/sealed.ts';
import type { Systems } from '../../fhir/systems.ts';
import { stateOf, typeOf } from '../../queue/job.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import { explain } from '../../rules/consent/explain.ts';
import { keyringOf } from '../keyring.ts';
import { hintOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { decide, plan } from './plan.ts';
import type { Plan } from './plan.ts';

const HELD_BACK = 'Held back until each Encounter that it documents is finished (DOCUMENTS_WHEN_FINISHED).';

/** What would be done, were the record looked at now. */
export type Prospect = 'copy' | 'erase' | 'nothing' | 'quarantine' | 'never';

/** A job that is open, or that has failed. */
export interface OpenJob {
  readonly type: string;
  readonly status: string;
  readonly focus?: string;
  readonly due: string;
  readonly attempts: number;
  readonly reason?: string;
}

/** One record. A value of the copy beside the name of the record would be identified data, so there is none in here. */
export interface Explanation {
  readonly record: string;
  readonly version?: string;
  readonly would: Prospect;
  /** Why it would not be copied. */
  readonly reason?: string;
  /** Under which token; absent while there is none. */
  readonly token?: string;
  /** One sentence. */
  readonly says: string;
  readonly decision: {
    readonly decision: Decision['decision'];
    readonly reason: string;
    readonly consent?: string;
    readonly path?: string;
    readonly purpose: string;
    readonly validUntil?: string;
    readonly obligations: readonly string[];
  };
  readonly conditions: readonly { readonly condition: string; readonly holds: string }[];
  readonly considered: readonly { readonly consent: string; readonly decision: string; readonly reason: string }[];
  /** Elements that would be sent, and the topmost that would not. */
  readonly sent: readonly string[];
  readonly dropped: readonly string[];
  readonly jobs: readonly OpenJob[];
}

/**
 * Plans one record as a sync would.
 *
 * @param config - The settings.
 * @param facts - The patient's record.
 * @param record - The record.
 * @param at - When.
 * @returns The plan, and whether its tokens are the patient's: without a link those of profile `safe-harbor` do not exist yet.
 */
export function prospectOf(
  config: Config,
  facts: Facts,
  record: Resource,
  at: string
): { readonly would: Prospect; readonly reason?: string; readonly planned?: Plan; readonly isProvisional?: boolean } {
  if (!isReplicated(record)) {
    return { would: 'never', reason: 'not-replicated' };
  }
  const { keys, isProvisional } = keyringOf(config, facts.patientId, facts.link, () => '00'.repeat(32));
  const planned = plan(facts, hintOf(record).hint, { config, keys, at, memo: new Map() });
  switch (planned.action) {
    case 'put':
      return { would: 'copy', planned, isProvisional };
    case 'quarantine':
      return { would: 'quarantine', reason: planned.reason, planned, isProvisional };
    default:
      return {
        would: planned.action === 'withdraw' ? 'erase' : 'nothing',
        reason: planned.reason,
        planned,
        isProvisional,
      };
  }
}

/**
 * Explains one record.
 *
 * @param config - The settings.
 * @param facts - The patient's record, this one in it.
 * @param record - The record.
 * @param jobs - Of the patient.
 * @param at - When.
 * @returns The explanation.
 */
export function explanationOf(
  config: Config,
  facts: Facts,
  record: Resource & { readonly id: string },
  jobs: readonly Task[],
  at: string
): Explanation {
  const name = `${record.resourceType}/${record.id}`;
  const { would, reason, planned, isProvisional } = prospectOf(config, facts, record, at);
  const decision = decide(facts, record, { config, at });
  const { consent, path, purpose, validUntil, obligations } = decision;
  const sent = planned?.action === 'put' ? elementsWithin(planned.sealed) : [];
  return {
    record: name,
    ...(record.meta?.versionId && { version: record.meta.versionId }),
    would,
    ...(reason && { reason }),
    ...(planned && !isProvisional && { token: planned.target.token }),
    says: reason === 'encounter-unfinished' ? `${HELD_BACK} ${explain(decision)}` : explain(decision),
    decision: {
      decision: decision.decision,
      reason: decision.reason,
      ...(consent && { consent: `Consent/${consent.id}/_history/${consent.versionId}` }),
      ...(path && { path }),
      purpose,
      ...(validUntil && { validUntil }),
      obligations,
    },
    conditions: decision.dimensions.map(({ dimension, holds }) => ({ condition: dimension, holds })),
    considered: decision.considered.map((one) => ({
      consent: `Consent/${one.id}/_history/${one.versionId}`,
      decision: one.decision,
      reason: one.reason,
    })),
    sent,
    dropped: planned?.action === 'put' ? droppedOf(elementsOf(record), sent) : [],
    jobs: jobsOf(config.systems, jobs, name),
  };
}

/** The topmost elements that are not in the copy: what is below them is not either. */
function droppedOf(elements: readonly string[], sent: readonly string[]): string[] {
  const kept = new Set(sent);
  const isBelow = (path: string): boolean => path.includes('.') && !kept.has(path.slice(0, path.lastIndexOf('.')));
  return elements.filter((path) => !kept.has(path) && !isBelow(path));
}

/**
 * @param systems - Our systems.
 * @param jobs - Jobs of one patient.
 * @param name - `Type/id`; without it, all of them.
 * @returns Those about the record, and those about the patient as a whole, which are about the record as well.
 */
export function jobsOf(systems: Systems, jobs: readonly Task[], name?: string): OpenJob[] {
  const isAbout = ({ focus }: Task): boolean =>
    name === undefined || focus?.reference === name || /^(Patient|Consent)\//.test(focus?.reference ?? '');
  return jobs.filter(isAbout).map((job): OpenJob => {
    const { dueAt, attempts, reason } = stateOf(systems, job);
    return {
      type: typeOf(systems, job),
      status: job.status ?? 'unknown',
      ...(job.focus?.reference && { focus: job.focus.reference }),
      due: new Date(dueAt).toISOString(),
      attempts,
      ...(reason && { reason }),
    };
  });
}

/**
 * @param prospects - One for each record.
 * @returns How often which: `copy`, or the reason why not.
 */
export function countsOf(
  prospects: readonly { readonly would: Prospect; readonly reason?: string }[]
): Record<string, number> {
  const answers = Map.groupBy(prospects, ({ would, reason }) => reason ?? would);
  return Object.fromEntries([...answers].map(([answer, { length }]) => [answer, length]));
}
