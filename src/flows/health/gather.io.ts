/** The probes: each asks one question, has its own two seconds, and turns every failure into a finding. */
import type { Basic, Task } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { faultCodeOf } from '../../observability/fault.ts';
import type { ReplicaProbe, SourceFhir } from '../../ports.ts';
import { controlOf, controlTerm } from '../../queue/control.ts';
import type { Control } from '../../queue/control.ts';
import { checkpointSearch, watermarksOf } from '../checkpoint.ts';
import type { Watermarks } from '../checkpoint.ts';

/** What was found, or the code of the fault that came instead. */
export type Finding<T> = { readonly value: T } | { readonly fault: string };

/** Jobs as far as they tell how the queue is doing. */
export interface Jobs {
  readonly waiting: readonly Task[];
  /** Dead letters. */
  readonly failed: number;
  /** Whether somebody has paused the queue, or its breaker is open. */
  readonly control: Control;
}

/** Waits for work, but not longer than the limit. */
export type Within = <T>(ms: number, work: Promise<T>) => Promise<T>;

const BUDGET_MS = 2000;
/** Sorted by when they were made, so that the oldest is among them. */
const WAITING_PAGE = 50;

async function finding<T>(within: Within, work: () => Promise<T>): Promise<Finding<T>> {
  try {
    return { value: await within(BUDGET_MS, work()) };
  } catch (error) {
    return { fault: faultCodeOf(error) ?? 'unexpected' };
  }
}

/**
 * Asks the source for the checkpoint of the sweep: one search tells whether the source answers, and how far the sweep is.
 *
 * @param within - The time limit.
 * @param source - The source.
 * @param systems - Our systems.
 * @returns The watermarks.
 */
export function lookAtSource(within: Within, source: SourceFhir, systems: Systems): Promise<Finding<Watermarks>> {
  return finding(within, async () => {
    const page = await source.search(checkpointSearch(systems));
    return watermarksOf(systems, page.entry?.[0]?.resource as Basic | undefined);
  });
}

/**
 * @param within - The time limit.
 * @param source - The source.
 * @param systems - Our systems.
 * @returns The jobs.
 */
export function lookAtQueue(within: Within, source: SourceFhir, systems: Systems): Promise<Finding<Jobs>> {
  const jobs = `Task?code=${encodeURIComponent(`${systems.control}|`)}`;
  return finding(within, async () => {
    const [control, waiting, failed] = await Promise.all([
      source.search(`Basic?identifier=${encodeURIComponent(controlTerm(systems))}&_count=1`),
      source.search(`${jobs}&status=requested&_sort=authored-on&_count=${WAITING_PAGE}`),
      source.search(`${jobs}&status=failed&_summary=count`),
    ]);
    return {
      waiting: (waiting.entry ?? []).flatMap(({ resource }) => (resource as Task | undefined) ?? []),
      failed: failed.total ?? 0,
      control: controlOf(systems, control.entry?.[0]?.resource as Basic | undefined),
    };
  });
}

/**
 * @param within - The time limit.
 * @param replica - The replica.
 * @returns Nothing, when it is a FHIR server that answers.
 */
export function reachReplica(within: Within, replica: ReplicaProbe): Promise<Finding<void>> {
  return finding(within, () => replica.reach());
}

/**
 * @param within - The time limit.
 * @param replica - The replica.
 * @returns Nothing, when our credentials are accepted.
 */
export function signIn(within: Within, replica: ReplicaProbe): Promise<Finding<void>> {
  return finding(within, () => replica.signIn());
}
