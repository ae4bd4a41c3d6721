/** How the whole is doing: probes side by side, then one judgement. Works without settings and without a replica. */
import { systemsOf } from '../../fhir/systems.ts';
import { Fault } from '../../observability/fault.ts';
import type { Clock, ReplicaProbe, SourceFhir } from '../../ports.ts';
import type { Loaded } from '../../config/load.ts';
import { lookAtQueue, lookAtSource, reachReplica, signIn } from './gather.io.ts';
import type { Finding, Within } from './gather.io.ts';
import { HEALTHY, queueVerdict, reportOf, standingOf, watermarksVerdict } from './judge.ts';
import type { CheckName, QueueStanding, Report, Verdict } from './judge.ts';
import { checksOf } from './probe.ts';

/** What the flow is given: no more than it may touch. */
export interface HealthDeps {
  /** The settings, or what is wrong with them. */
  readonly loaded: Loaded;
  readonly source: SourceFhir;
  /** Undefined while the settings do not say where it is. */
  readonly replica: ReplicaProbe | undefined;
  readonly clock: Clock;
  readonly within: Within;
}

const NO_SETTINGS: Verdict = { state: 'unhealthy', reason: 'settings-invalid' };

/**
 * Makes the checks that are asked for.
 *
 * @param deps - The run.
 * @param input - `{ probe: 'live' | 'ready' | 'startup' }`, or nothing for all.
 * @returns The report. A server that is down is a finding, not an error.
 * @throws Fault `input-invalid` for a probe that is not known.
 */
export async function health(deps: HealthDeps, input: unknown): Promise<Report> {
  const { loaded, clock } = deps;
  const checks = checksOf(input);
  if (!checks) {
    throw new Fault('input-invalid', ['probe is live, ready or startup']);
  }
  const isOff = 'config' in loaded && !loaded.config.syncEnabled;
  const { verdicts, standing } = await verdictsOf(deps, checks, isOff);
  return {
    ...reportOf(verdicts, new Date(clock.now()).toISOString()),
    ...(standing && { queue: standing }),
    ...('problems' in loaded && { settings: loaded.problems }),
    ...(isOff && { off: true }),
  };
}

interface Judged {
  readonly verdicts: Partial<Record<CheckName, Verdict>>;
  readonly standing: QueueStanding | undefined;
}

async function verdictsOf(deps: HealthDeps, checks: readonly CheckName[], isOff: boolean): Promise<Judged> {
  const { loaded, source, replica, clock, within } = deps;
  const systems = 'config' in loaded ? loaded.config.systems : systemsOf();
  const isAsked = (name: CheckName): boolean => checks.includes(name);
  const hasSettings = replica !== undefined;
  const [marks, queue, reached, signedIn] = await Promise.all([
    isAsked('source') ? lookAtSource(within, source, systems) : undefined,
    isAsked('queue') && hasSettings ? lookAtQueue(within, source, systems) : undefined,
    isAsked('replica') && hasSettings && !isOff ? reachReplica(within, replica) : undefined,
    isAsked('token') && hasSettings && !isOff ? signIn(within, replica) : undefined,
  ]);
  const found: Partial<Record<CheckName, Verdict>> = {
    ...(marks && { source: verdictOf(marks, () => HEALTHY) }),
    ...(reached && { replica: verdictOf(reached, () => HEALTHY) }),
    ...(signedIn && { token: verdictOf(signedIn, () => HEALTHY) }),
    ...(queue && {
      queue: verdictOf(queue, ({ control, waiting, failed }) => queueVerdict(control, waiting, failed, clock.now())),
    }),
    // Without a sweep that may run there is none that could be late.
    ...(marks &&
      isAsked('watermarks') &&
      hasSettings &&
      !isOff && { watermarks: verdictOf(marks, (value) => watermarksVerdict(value, clock.now())) }),
  };
  // Without settings no bot runs: whatever is asked, except for the source, is out of order.
  const rest = checks.filter((name) => !hasSettings && name !== 'source').map((name) => [name, NO_SETTINGS] as const);
  const jobs = queue && 'value' in queue ? queue.value : undefined;
  return {
    verdicts: { ...found, ...Object.fromEntries(rest) },
    standing: jobs && standingOf(jobs.control, jobs.waiting, jobs.failed, clock.now()),
  };
}

function verdictOf<T>(finding: Finding<T>, judge: (value: T) => Verdict): Verdict {
  return 'fault' in finding ? { state: 'unhealthy', reason: finding.fault } : judge(finding.value);
}
