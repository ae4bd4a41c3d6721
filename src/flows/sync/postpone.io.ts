/** What cannot be delivered now becomes a job; when nothing can be delivered, the breaker opens and nobody tries until a probe succeeds. */
import { faultCodeOf } from '../../observability/fault.ts';
import { NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import { delayAfter } from '../../queue/backoff.ts';
import { heldBy } from '../../queue/control.ts';
import type { Control } from '../../queue/control.ts';
import { closeBreaker, openBreaker, readControl } from '../../queue/gate.io.ts';
import type { Order } from '../../queue/job.ts';
import { enqueue } from '../../queue/store.io.ts';
import type { Deps } from '../deps.ts';
import { verdictOn } from './orders.ts';
import type { Verdict } from './orders.ts';

/** What an event comes to when it could not be delivered: its job will be. */
export interface Postponed extends Tally {
  readonly queued: number;
}

/**
 * Decides what a failure means, and opens the breaker when it is not about one record: before that is believed, the replica is probed,
 * or one record that makes it stumble would hold back all others for ever.
 *
 * @param deps - The run.
 * @param error - What was caught.
 * @returns The verdict: `hold` when the breaker is open now.
 * @throws Fault `source-*`.
 */
export async function judge(deps: Deps, error: unknown): Promise<Exclude<Verdict, 'probe'>> {
  const code = faultCodeOf(error);
  const verdict = verdictOn(code);
  if (verdict !== 'probe' && verdict !== 'hold') {
    return verdict;
  }
  if (verdict === 'probe' && (await isThere(deps))) {
    return 'again';
  }
  if (await openBreaker(deps, code ?? 'replica-unavailable')) {
    deps.log('warn', 'breaker-opened', { fault: code ?? 'replica-unavailable' });
  }
  return 'hold';
}

/** One request while the replica is down, two when it is not. */
async function isThere({ probe }: Deps): Promise<boolean> {
  try {
    await probe.signIn();
    await probe.reach();
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a job of what could not be done.
 *
 * @param deps - The run.
 * @param order - The job, due at once.
 * @param error - Why.
 * @returns Counts. The run has done its duty: from here on delivery is the queue's.
 * @throws The error itself, when it is not one of ours or the job could not be stored.
 */
export async function postpone(deps: Deps, order: Order, error: unknown): Promise<Postponed> {
  const code = faultCodeOf(error);
  const reason = code ?? 'unexpected';
  try {
    const verdict = await judge(deps, error);
    const isTried = verdict === 'dead' || (verdict !== 'hold' && !reason.startsWith('source-') && code !== 'deadline');
    const delay = isTried ? delayAfter(1, deps.random.unit()) : 0;
    const at = verdict === 'again' ? order.at + delay : order.at;
    await enqueue(deps, { ...order, at, attempts: isTried ? 1 : 0, reason, isDead: verdict === 'dead' });
  } catch {
    throw error;
  }
  if (!code) {
    throw error;
  }
  return queued(deps, reason);
}

/**
 * Makes a job of what is not to be tried now.
 *
 * @param deps - The run.
 * @param order - The job.
 * @param reason - Why it is held back.
 * @returns Counts.
 * @throws Fault `source-*` when the job could not be stored.
 */
export async function holdBack(deps: Deps, order: Order, reason: string): Promise<Postponed> {
  await enqueue(deps, { ...order, reason });
  return queued(deps, reason);
}

function queued(deps: Deps, reason: string): Postponed {
  deps.log('info', 'job-queued', { reason });
  return { ...NOTHING, queued: 1, reasons: { [reason]: 1 } };
}

/**
 * Asks whether a run may begin. An open breaker is probed, and closed when the replica answers.
 *
 * @param deps - The run.
 * @param options - `isPatient`: probes no sooner than the breaker allows.
 * @returns Why not, a code; undefined when it may.
 * @throws Fault `source-*`.
 */
export async function passGate(deps: Deps, options: { readonly isPatient: boolean }): Promise<string | undefined> {
  const control: Control = await readControl(deps);
  const reason = heldBy(control);
  if (reason === undefined || control.pausedAt !== undefined) {
    return reason;
  }
  if (options.isPatient && deps.clock.now() < (control.open?.probeAt ?? 0)) {
    return reason;
  }
  if (!(await isThere(deps))) {
    await openBreaker(deps, reason);
    return reason;
  }
  await closeBreaker(deps);
  deps.log('info', 'breaker-closed', { reason });
  return undefined;
}
