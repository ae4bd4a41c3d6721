/** `retry-jobs`: what could not be delivered is delivered. */
import type { Bundle, Observation, Task } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { PROBE_EVERY_MS } from '../../../src/queue/control.ts';
import { admit, ALL, consent, eventually, execute, holds, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';

interface Drained {
  readonly jobs: { readonly done: number; readonly failed: number; readonly held: number };
  readonly isComplete: boolean;
  readonly held?: string;
}

/** The discard port (RFC 863): nobody listens there. */
const NOWHERE = 'http://127.0.0.1:9/';

async function jobsOf({ source }: Ground, patientId: string): Promise<string[]> {
  const code = encodeURIComponent(`${systemsOf().control}|job`);
  const page = await source.get<Bundle<Task>>(`Task?code=${code}&patient=Patient/${patientId}&_count=100`);
  return (page.entry ?? []).map(({ resource }) => `${resource?.code?.coding?.[1]?.code} ${resource?.status}`).sort();
}

export const RETRY_JOBS: readonly Check[] = [
  {
    bot: 'retry-jobs',
    promise:
      'the replica is gone for a while: events become jobs, one per record, and all is delivered when it is back',
    async prove(ground) {
      const { source } = ground;
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const url = `${process.env['MEDPLUM_BASE_URL'] ?? ''}`;
      await ground.configure({ REPLICA_BASE_URL: NOWHERE });
      let held: Drained;
      try {
        for (const value of [91, 92, 93]) {
          await source.send<Observation>('PUT', `Observation/${admitted.pulse.id}`, {
            ...admitted.pulse,
            valueQuantity: { ...admitted.pulse.valueQuantity, value },
          });
        }
        const isQueued = (found: readonly string[]): boolean => found.join() === 'observation-sync requested';
        await eventually('one job', () => jobsOf(ground, admitted.patient.id), isQueued);
        held = await execute<Drained>(ground, 'retry-jobs');
        must(held.held === 'replica-unavailable', `the breaker is not open: ${JSON.stringify(held)}`);
      } finally {
        await ground.configure({ REPLICA_BASE_URL: url });
      }
      await sleep(PROBE_EVERY_MS + 1000);
      const drained = await execute<Drained>(ground, 'retry-jobs');
      const isDone = (found: readonly string[]): boolean => found.every((job) => job.endsWith('completed'));
      // The schedule may have been first.
      const jobs = await eventually('all jobs done', () => jobsOf(ground, admitted.patient.id), isDone);
      const seen = await holds(ground, admitted, { ...ALL, values: [93] });
      return `held by ${held.held}; then ${drained.jobs.done} done here, ${jobs.length} in all: ${seen}`;
    },
  },
  {
    bot: 'retry-jobs',
    promise: 'two runs at once, and an empty queue',
    async prove(ground) {
      const runs = await Promise.all([execute<Drained>(ground, 'retry-jobs'), execute<Drained>(ground, 'retry-jobs')]);
      must(
        runs.every(({ isComplete, jobs }) => isComplete && jobs.failed === 0),
        JSON.stringify(runs)
      );
      return 'both find nothing to do';
    },
  },
];
