/** Jobs → lots that are claimed together, and patients that are worked on together. Pure. */
import type { Task } from '@medplum/fhirtypes';
import type { Result } from '../../queue/change.ts';

/**
 * Packs jobs into lots, the jobs of a patient side by side, so that the bulk path has pages to fill.
 *
 * @param jobs - In the order in which they are due, erasures first.
 * @param size - Jobs in a lot.
 * @returns The lots. The first job of each patient decides when the patient's turn is.
 */
export function lotsOf(jobs: readonly Task[], size: number): Task[][] {
  const sorted = [...Map.groupBy(jobs, (task) => task.for?.reference ?? '').values()].flat();
  return Array.from({ length: Math.ceil(sorted.length / size) }, (_, index) =>
    sorted.slice(index * size, (index + 1) * size)
  );
}

const RANK = ['done', 'refused', 'failed', 'held'] as const satisfies readonly Result['kind'][];

/**
 * @param results - What came of the parts of one job: a record that was moved concerns two patients.
 * @returns The result of the job: done only when every part is.
 */
export function worst(results: readonly Result[]): Result {
  return results.reduce((a, b) => (RANK.indexOf(b.kind) > RANK.indexOf(a.kind) ? b : a), { kind: 'done' });
}
