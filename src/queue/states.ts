/** What can become of a job: one table. Whatever is not in it does not happen. */
import type { Task } from '@medplum/fhirtypes';

/** A `requested` job is waiting, or delayed while its start lies ahead. */
export type JobStatus = Extract<
  NonNullable<Task['status']>,
  'requested' | 'in-progress' | 'completed' | 'failed' | 'on-hold' | 'cancelled'
>;

export type JobEvent =
  /** Somebody wants it done. */
  | 'enqueue'
  /** A run takes it, or takes it over when the lease of another has ended. */
  | 'claim'
  | 'complete'
  /** Not done: to be tried again. */
  | 'release'
  /** Not done, and trying again is of no use. */
  | 'exhaust'
  /** A person wants it tried again, now. */
  | 'retry'
  /** A person does not want it done. */
  | 'discard';

const TABLE: Readonly<Record<JobStatus, Partial<Record<JobEvent, JobStatus>>>> = {
  requested: { enqueue: 'requested', claim: 'in-progress', retry: 'requested', discard: 'cancelled' },
  // What is wanted anew while a run is at it is remembered in the job, and done after that run.
  'in-progress': {
    enqueue: 'in-progress',
    claim: 'in-progress',
    complete: 'completed',
    release: 'requested',
    exhaust: 'failed',
  },
  completed: { enqueue: 'requested' },
  failed: { enqueue: 'requested', retry: 'requested', discard: 'cancelled' },
  'on-hold': { enqueue: 'on-hold', retry: 'requested', discard: 'cancelled' },
  cancelled: { enqueue: 'requested' },
};

export const STATUSES = Object.keys(TABLE) as JobStatus[];

/**
 * @param status - Of a job.
 * @param event - What happens.
 * @returns Its next status; undefined when this cannot happen to it.
 */
export function next(status: Task['status'], event: JobEvent): JobStatus | undefined {
  return TABLE[status as JobStatus]?.[event];
}
