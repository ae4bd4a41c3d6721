/** What a job that has just been settled counts for. Pure. */
import type { Task } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { tookMs, typeOf } from '../../queue/job.ts';
import type { Sample } from './figures.ts';

/** The seeds' name of the one queue that there is. */
export const QUEUE_NAME = 'fhir-sync';

/**
 * @param task - A version of a job.
 * @param systems - Our systems.
 * @returns What it counts for; nothing unless this version is that of a settlement.
 */
export function samplesOfTask(task: Task, systems: Systems): Sample[] {
  const ms = tookMs(systems, task);
  return ms === undefined
    ? []
    : [{ family: 'holi_queue_job_duration_seconds', labels: [QUEUE_NAME, typeOf(systems, task)], value: ms / 1000 }];
}
