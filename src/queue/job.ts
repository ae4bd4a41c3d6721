/**
 * A job as a FHIR Task. It says what is to be done about which record, never what is in the record. `executionPeriod.start` is the
 * instant from which anybody may take it: when it is due, or, while a run is at it, when that run's lease ends. So one search
 * finds what is due and what was left lying (`restriction.period` would say the same, but cannot be searched for). Pure.
 */
import type { Extension, Task } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';

/** What somebody wants done. */
export interface Order {
  /** Kind of job: `encounter-sync`. */
  readonly type: string;
  /** What it is about: there is one job of a type for each. An id of the source, never a name or number of a person. */
  readonly key: string;
  /** The record, `Type/id`. */
  readonly focus?: string;
  /** The patient, `Patient/id`. */
  readonly patient: string;
  /** When it is due, in milliseconds since the epoch. */
  readonly at: number;
  /** Erasures go before everything else. */
  readonly isUrgent?: boolean;
  /** How often it was tried before it became a job. */
  readonly attempts?: number;
  /** Why it was not done at once: a code of ours. */
  readonly reason?: string;
  /** True when trying again is of no use: it becomes a dead letter for a person to look at. */
  readonly isDead?: boolean;
}

/** The code that all jobs share. */
const JOB = 'job';

/**
 * @param systems - Our systems.
 * @param order - What is wanted.
 * @param now - Milliseconds since the epoch.
 * @returns The Task to create.
 */
export function taskOf(systems: Systems, order: Order, now: number): Task {
  const { type, key, focus, patient, at, isUrgent, attempts = 0, reason, isDead } = order;
  const task: Task = {
    resourceType: 'Task',
    identifier: [{ system: systems.control, value: `job-${type}-${key}` }],
    status: isDead ? 'failed' : 'requested',
    intent: 'order',
    priority: isUrgent ? 'urgent' : 'routine',
    code: {
      coding: [
        { system: systems.control, code: JOB },
        { system: systems.jobType, code: type },
      ],
    },
    ...(focus && { focus: { reference: focus } }),
    for: { reference: patient },
    authoredOn: instant(now),
  };
  return withState(systems, task, { dueAt: at, attempts, reason });
}

/** What changes about a job while it goes its way. */
export interface JobState {
  readonly dueAt: number;
  readonly attempts: number;
  readonly reason?: string | undefined;
  /** Wanted anew since a run took it, from this instant on. */
  readonly againAt?: number | undefined;
  /** When that run took it, while it has it. */
  readonly beganAt?: number | undefined;
  /** How long a run had it, in milliseconds: only of the version that a settlement writes. */
  readonly tookMs?: number | undefined;
  /** The run that has it, or had it last. */
  readonly run?: string | undefined;
}

/**
 * @param systems - Our systems.
 * @param task - A job.
 * @param state - Its new state; what is not said is gone.
 * @returns The job in that state.
 */
export function withState(systems: Systems, task: Task, state: JobState): Task {
  const { dueAt, attempts, reason, againAt, beganAt, tookMs: took, run } = state;
  const { statusReason: _reason, groupIdentifier: _run, extension: _extension, ...rest } = task;
  return {
    ...rest,
    executionPeriod: { start: instant(dueAt) },
    ...(reason && { statusReason: { coding: [{ system: systems.auditDetail, code: reason }] } }),
    ...(run && { groupIdentifier: { system: systems.correlation, value: run } }),
    extension: [
      { url: `${systems.namespace}/job-attempts`, valueInteger: attempts },
      ...(againAt === undefined ? [] : [{ url: `${systems.namespace}/job-again`, valueInstant: instant(againAt) }]),
      ...(beganAt === undefined ? [] : [{ url: `${systems.namespace}/job-began`, valueInstant: instant(beganAt) }]),
      ...(took === undefined ? [] : [{ url: `${systems.namespace}/job-took`, valueInteger: took }]),
    ],
  };
}

/**
 * @param systems - Our systems.
 * @param task - A job.
 * @returns Its state; how long a run had it is not carried on, since it is told once.
 */
export function stateOf(systems: Systems, task: Task): JobState {
  const find = (name: string): Extension | undefined =>
    task.extension?.find(({ url }) => url === `${systems.namespace}/${name}`);
  const again = find('job-again')?.valueInstant;
  const began = find('job-began')?.valueInstant;
  return {
    dueAt: Date.parse(task.executionPeriod?.start ?? task.authoredOn ?? '') || 0,
    attempts: find('job-attempts')?.valueInteger ?? 0,
    reason: task.statusReason?.coding?.[0]?.code,
    againAt: again === undefined ? undefined : Date.parse(again),
    beganAt: began === undefined ? undefined : Date.parse(began),
    run: task.groupIdentifier?.value,
  };
}

/**
 * @param systems - Our systems.
 * @param task - A version of a job.
 * @returns For how many milliseconds a run had it, if this version is the one that says so. Retention copies an old version: that one does not.
 */
export function tookMs(systems: Systems, task: Task): number | undefined {
  return task.identifier?.some(({ value }) => value?.startsWith('ended-'))
    ? undefined
    : task.extension?.find(({ url }) => url === `${systems.namespace}/job-took`)?.valueInteger;
}

/**
 * @param systems - Our systems.
 * @param task - A job.
 * @returns Its kind.
 */
export function typeOf(systems: Systems, task: Task): string {
  return task.code?.coding?.find(({ system }) => system === systems.jobType)?.code ?? '';
}

/**
 * @param systems - Our systems.
 * @param type - A kind of job; all of them without it.
 * @returns The beginning of a FHIR-relative search for jobs.
 */
export function jobsSearch(systems: Systems, type?: string): string {
  const coding = type ? `${systems.jobType}|${type}` : `${systems.control}|${JOB}`;
  return `Task?code=${encodeURIComponent(coding)}`;
}

/**
 * @param ms - Milliseconds since the epoch.
 * @returns The FHIR instant.
 */
export function instant(ms: number): string {
  return new Date(ms).toISOString();
}
