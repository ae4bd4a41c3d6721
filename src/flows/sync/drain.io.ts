/**
 * Does the jobs that are due, by the bulk path: a lot is claimed in one transaction, worked on patient by patient, and settled in one
 * transaction. A run that dies between any two of these leaves leases behind, and when they end another run does the same again,
 * which finds equal what was done.
 */
import type { Task } from '@medplum/fhirtypes';
import { faultCodeOf } from '../../observability/fault.ts';
import { add, NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Result } from '../../queue/change.ts';
import { stateOf } from '../../queue/job.ts';
import { clean } from '../../queue/retention.io.ts';
import { claim, due, LOT, settle } from '../../queue/store.io.ts';
import type { Deps } from '../deps.ts';
import { keyringOf } from '../keyring.ts';
import { audit } from './audit.io.ts';
import { syncConsent } from './consent.io.ts';
import type { Done } from './done.ts';
import { readLink } from './establish.io.ts';
import { keyOf } from './facts.ts';
import type { Hint } from './facts.ts';
import { lotsOf, worst } from './lots.ts';
import { askedBy } from './orders.ts';
import { PAGE_SIZE, syncPage } from './page.io.ts';
import { syncPatient } from './patient.io.ts';
import { targetOf } from './plan.ts';
import { judge, passGate } from './postpone.io.ts';
import { rulesOf } from './rules.ts';
import { worksOf } from './works.io.ts';
import type { Work } from './works.io.ts';

/** The next run comes each minute; what has begun by then may take longer. */
const RUN_MS = 50_000;
/** A lease outlives its run: that a job is done twice is worse than that it is done late. */
const LEASE_MARGIN_MS = 60_000;
/** Jobs that are looked for at once: enough for patients to fill pages, few enough to be done in one run. */
const AHEAD = 500;
/** At ten a second, a lot each five seconds. */
const LOT_SECONDS = 5;

/** What a run did. */
export interface Drained extends Tally {
  /** Jobs that ended in each way. */
  readonly jobs: Readonly<Record<Result['kind'], number>>;
  /** False when jobs are left that are due. */
  readonly isComplete: boolean;
  /** Why nothing is delivered: `paused`, or the code of the fault that opened the breaker. */
  readonly held?: string;
}

/** What a run knows while it goes on. */
interface Run {
  readonly stopAt: number;
  tally: Tally;
  readonly jobs: Record<Result['kind'], number>;
  held: string | undefined;
}

/**
 * Drains the queue until it is empty, or time or the replica stops it.
 *
 * @param deps - The run.
 * @returns What was done.
 * @throws Fault `source-*`; jobs that were claimed are free again when their leases end.
 */
export async function drain(deps: Deps): Promise<Drained> {
  const { clock } = deps;
  const run: Run = {
    stopAt: Math.min(deps.deadlineAt, clock.now() + RUN_MS),
    tally: NOTHING,
    jobs: { done: 0, failed: 0, refused: 0, held: 0 },
    held: await passGate(deps, { isPatient: true }),
  };
  const isComplete = run.held === undefined && (await doAll(deps, run));
  await clean(deps, run.stopAt, (failed) => tellOf(deps, failed));
  const { tally, jobs, held } = run;
  deps.log('info', 'jobs-drained', { jobs: jobs.done, failed: jobs.failed + jobs.refused, put: tally.put });
  return { ...tally, jobs, isComplete, ...(held !== undefined && { held }) };
}

/** True when nothing was left to do. */
async function doAll(deps: Deps, run: Run): Promise<boolean> {
  const { clock, config } = deps;
  const perSecond = config.queue.jobsPerSecond;
  const startedAt = clock.now();
  let begun = 0;
  for (;;) {
    const jobs = await due(deps, AHEAD);
    if (jobs.length === 0) {
      return true;
    }
    for (const lot of lotsOf(jobs, Math.min(LOT, perSecond * LOT_SECONDS))) {
      const waitMs = startedAt + (begun / perSecond) * 1000 - clock.now();
      if (run.held !== undefined || clock.now() + Math.max(0, waitMs) >= run.stopAt) {
        return false;
      }
      if (waitMs > 0) {
        await clock.sleep(waitMs);
      }
      begun += lot.length;
      await doLot(deps, run, lot);
    }
  }
}

async function doLot(deps: Deps, run: Run, lot: readonly Task[]): Promise<void> {
  const lease = { run: deps.correlationId, until: deps.deadlineAt + LEASE_MARGIN_MS };
  const jobs = await claim(deps, lot, lease);
  const parts = new Map<Task, Result[]>(jobs.map((job) => [job, []]));
  const works = await worksOf(deps, jobs);
  const next = works.values();
  const worker = async (): Promise<void> => {
    for (const work of next) {
      await doWork(deps, run, work, (job, result) => parts.get(job)?.push(result));
    }
  };
  await Promise.all(Array.from({ length: deps.config.queue.concurrency }, worker));
  const unknown: Result = { kind: 'refused', reason: 'input-invalid' };
  const results = new Map([...parts].map(([job, some]) => [job, some.length > 0 ? worst(some) : unknown] as const));
  for (const { kind } of results.values()) {
    run.jobs[kind]++;
  }
  await settle(deps, deps.correlationId, results);
}

type Tell = (job: Task, result: Result) => void;

/** One patient, start to finish. */
async function doWork(deps: Deps, run: Run, work: Work, tell: Tell): Promise<void> {
  const { patientId } = work;
  if (work.isWhole) {
    // It looks at every record of the patient and at those that jobs are about, so these are done by it as well.
    const result = await attempt(deps, run, () => wholePatient(deps, work));
    work.jobs.forEach((job) => tell(job, result));
    return;
  }
  // What was tried before stands alone, so that one bad record does not use up the attempts of others.
  const fresh = work.records.filter(({ isTried }) => !isTried);
  const pages = [
    ...Array.from({ length: Math.ceil(fresh.length / PAGE_SIZE) }, (_, page) =>
      fresh.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)
    ),
    ...work.records.filter(({ isTried }) => isTried).map((record) => [record]),
  ];
  for (const page of pages) {
    const refused = new Map<string, string>();
    const onRefused = (record: string, reason: string): void => void refused.set(record, reason);
    const hints = page.map(({ hint }) => hint);
    const result = await attempt(deps, run, () => syncPage(deps, patientId, hints, { onRefused }));
    for (const { hint, job } of page) {
      const reason = refused.get(keyOf(hint));
      tell(job, reason === undefined || result.kind !== 'done' ? result : { kind: 'refused', reason });
    }
  }
}

async function wholePatient(deps: Deps, { patientId, consents, isSecondLook, records }: Work): Promise<Tally> {
  const [consent] = consents;
  const asked = { isSecondLook, records: records.map(({ hint }) => hint) };
  return consent === undefined ? syncPatient(deps, patientId, asked) : syncConsent(deps, patientId, consent, asked);
}

/** Turns whatever happens into a result. */
async function attempt(deps: Deps, run: Run, work: () => Promise<Tally>): Promise<Result> {
  if (run.held !== undefined) {
    return { kind: 'held', reason: run.held };
  }
  if (deps.clock.now() >= deps.deadlineAt) {
    return { kind: 'held', reason: 'deadline' };
  }
  try {
    run.tally = add(run.tally, await work());
    return { kind: 'done' };
  } catch (error) {
    const reason = faultCodeOf(error) ?? 'unexpected';
    if (reason === 'deadline' || reason === 'source-unavailable') {
      return { kind: 'held', reason };
    }
    const verdict = await judge(deps, error);
    if (verdict === 'hold') {
      run.held = reason;
      return { kind: 'held', reason };
    }
    return { kind: verdict === 'dead' ? 'refused' : 'failed', reason };
  }
}

/** Failed jobs on which nobody has acted go after a month, and the trail says which. */
async function tellOf(deps: Deps, failed: readonly Task[]): Promise<void> {
  const { systems } = deps.config;
  const asked = failed.flatMap((task) => {
    const one = askedBy(systems, task);
    return one ? [{ ...one, reason: stateOf(systems, task).reason ?? 'unknown' }] : [];
  });
  for (const [patientId, some] of Map.groupBy(asked, (one) => one.patientId)) {
    const keyring = keyringOf(deps.config, patientId, await readLink(deps, patientId), deps.mint);
    const done = some.map((one): Done => {
      const hint: Hint = one.kind === 'record' ? one : { resourceType: 'Patient', id: patientId };
      return { action: 'fail', reason: one.reason, target: targetOf(hint, rulesOf(deps, keyring.keys)) };
    });
    const frame = { patientId, keyring, startedAt: deps.clock.now(), attempt: 1, details: { job: 'expired' } };
    await audit(deps, frame, done);
  }
}
