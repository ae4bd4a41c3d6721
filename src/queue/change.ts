/** What becomes of a job when something happens to it. Pure. */
import type { Task } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { delayAfter } from './backoff.ts';
import { stateOf, taskOf, withState } from './job.ts';
import type { Order } from './job.ts';
import { next } from './states.ts';

/** How a run's work on a job ended. */
export type Result =
  | { readonly kind: 'done' }
  /** Tried, in vain; it may work later. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Tried, and refused for good. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Not its fault: nothing can be delivered now, or there was no time. It costs no attempt. */
  | { readonly kind: 'held'; readonly reason: string };

/** What decides what comes of a result. */
export interface Terms {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** A random number in [0, 1). */
  readonly unit: number;
  /** How often a job is tried. */
  readonly attempts: number;
}

/**
 * Merges a new order into the job that there is for it.
 *
 * @param systems - Our systems.
 * @param task - The job.
 * @param order - The order.
 * @param now - Milliseconds since the epoch.
 * @returns The job as it is to be saved; undefined when it covers the order already, so that a burst of events costs no write.
 */
export function merge(systems: Systems, task: Task, order: Order, now: number): Task | undefined {
  const state = stateOf(systems, task);
  switch (task.status) {
    case 'in-progress': {
      const againAt = Math.min(order.at, state.againAt ?? Infinity);
      return againAt === state.againAt ? undefined : withState(systems, task, { ...state, againAt });
    }
    case 'requested':
    case 'on-hold': {
      const isSooner = order.at < state.dueAt;
      const isMoreUrgent = order.isUrgent === true && task.priority !== 'urgent';
      const merged = withState(systems, task, { ...state, dueAt: Math.min(order.at, state.dueAt) });
      return isSooner || isMoreUrgent ? { ...merged, ...(isMoreUrgent && { priority: 'urgent' }) } : undefined;
    }
    default: {
      const isSame = task.status === 'failed' && order.isDead === true && state.reason === order.reason;
      return isSame ? undefined : { ...taskOf(systems, order, now), id: `${task.id}`, meta: { ...task.meta } };
    }
  }
}

/**
 * @param systems - Our systems.
 * @param task - A job that is due.
 * @param lease - Which run takes it, and until when nobody else may.
 * @param now - Milliseconds since the epoch.
 * @returns The job as it is to be saved; undefined when it cannot be taken.
 */
export function claimed(
  systems: Systems,
  task: Task,
  lease: { readonly run: string; readonly until: number },
  now: number
): Task | undefined {
  const state = stateOf(systems, task);
  const status = next(task.status, 'claim');
  if (!status || state.dueAt > now) {
    return undefined;
  }
  // What was wanted anew up to now is done by the work that begins now.
  const againAt = state.againAt !== undefined && state.againAt > now ? state.againAt : undefined;
  return {
    ...withState(systems, task, { ...state, dueAt: lease.until, againAt, beganAt: now, run: lease.run }),
    status,
  };
}

/**
 * @param systems - Our systems.
 * @param task - A job that a run has.
 * @param result - How its work ended.
 * @param terms - Time, chance, settings.
 * @returns The job as it is to be saved.
 */
export function settled(systems: Systems, task: Task, result: Result, terms: Terms): Task {
  const { now } = terms;
  const state = stateOf(systems, task);
  const tookMs = state.beganAt === undefined ? undefined : Math.max(0, Math.round(now - state.beganAt));
  const told = { beganAt: undefined, tookMs };
  const to = (event: 'complete' | 'release' | 'exhaust', change: Partial<typeof state>): Task => ({
    ...withState(systems, task, { ...state, againAt: undefined, ...told, ...change }),
    status: next('in-progress', event) as NonNullable<Task['status']>,
  });
  if (result.kind === 'held') {
    return to('release', { dueAt: now, reason: result.reason });
  }
  const attempts = result.kind === 'done' ? state.attempts : state.attempts + 1;
  const reason = result.kind === 'done' ? undefined : result.reason;
  if (state.againAt !== undefined) {
    // The record has changed since: it starts afresh.
    return to('release', { dueAt: state.againAt, attempts: 0, reason });
  }
  if (result.kind === 'done') {
    return to('complete', { dueAt: now, reason });
  }
  return result.kind === 'refused' || attempts >= terms.attempts
    ? to('exhaust', { dueAt: now, attempts, reason })
    : to('release', { dueAt: now + delayAfter(attempts, terms.unit), attempts, reason });
}

/**
 * @param systems - Our systems.
 * @param task - A job.
 * @param event - What a person wants.
 * @param now - Milliseconds since the epoch.
 * @param reason - A code, for a job that is discarded.
 * @returns The job as it is to be saved; undefined when that cannot be done to it.
 */
export function ordered(
  systems: Systems,
  task: Task,
  event: 'retry' | 'discard',
  now: number,
  reason?: string
): Task | undefined {
  const status = next(task.status, event);
  const state = stateOf(systems, task);
  const change = event === 'retry' ? { attempts: 0 } : { reason: reason ?? state.reason };
  return status && { ...withState(systems, task, { ...state, ...change, dueAt: now }), status };
}
