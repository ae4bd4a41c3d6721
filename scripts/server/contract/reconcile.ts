/** `reconcile`: every difference is found and repaired, and when there is none it costs about what paging both sides does. */
import type { Bundle, Observation } from '@medplum/fhirtypes';
import { admit, ALL, consent, copiesOf, EVERYTHING, execute, holds, must, observation, unheard } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';

interface Run {
  readonly isComplete: boolean;
  readonly observations: Readonly<Record<string, number>>;
  readonly tampered: number;
  readonly walked: number;
  readonly errors: readonly string[];
}

const TYPES = ['Patient', 'Encounter', 'Observation'];

async function pageBoth({ source, replica }: Ground): Promise<number> {
  const begin = performance.now();
  for (const rest of [source, replica]) {
    for (const type of EVERYTHING) {
      if (type !== 'Consent') {
        await rest.get<Bundle>(`${type}?_sort=_lastUpdated&_count=1000`);
      }
    }
  }
  return performance.now() - begin;
}

export const RECONCILE: readonly Check[] = [
  {
    bot: 'reconcile',
    promise: 'what is missing, stale, doubled, changed on the replica or without a source is found and repaired',
    async prove(ground) {
      const { source, replica } = ground;
      const one = await admit(ground);
      await consent(ground, one);
      await holds(ground, one, ALL);
      await execute(ground, 'reconcile', { types: TYPES } as never);
      await unheard(ground, EVERYTHING, async () => {
        await source.send('POST', 'Observation', observation(one.patient.id, one.encounter.id, 81));
        await source.send('PUT', `Observation/${one.pulse.id}`, { ...one.pulse, status: 'corrected' });
      });
      const [copy] = (await copiesOf(ground, one.patient.id)).filter(
        ({ resourceType }) => resourceType === 'Encounter'
      );
      const { id: _id, ...twin } = copy as Observation;
      await replica.send('POST', 'Encounter', twin);
      const found = await execute<Run>(ground, 'reconcile', { patient: one.patient.id });
      must(found.isComplete && found.errors.length === 0, JSON.stringify(found.errors));
      must(found.observations['notSynced'] === 1 && found.observations['stale'] === 1, JSON.stringify(found));
      await holds(ground, one, { ...ALL, Observation: 2, values: [72, 81] });
      const [pulse] = (await copiesOf(ground, one.patient.id)).filter(
        ({ resourceType }) => resourceType === 'Observation'
      );
      await replica.send('PUT', `Observation/${pulse?.id}`, { ...(pulse as Observation), status: 'entered-in-error' });
      const deep = await execute<Run>(ground, 'reconcile', { patient: one.patient.id, deep: true } as never);
      must(deep.tampered === 1, `tampered ${deep.tampered}`);
      const again = await execute<Run>(ground, 'reconcile', { patient: one.patient.id, deep: true } as never);
      must(again.tampered === 0 && again.observations['enqueued'] === 0, JSON.stringify(again));
      return 'notSynced 1, stale 1, a twin, tampered 1; then nothing';
    },
  },
  {
    bot: 'reconcile',
    promise: 'everything, when nothing differs',
    async prove(ground) {
      const first = await execute<Run>(ground, 'reconcile');
      must(first.isComplete, 'not complete');
      const floor = await pageBoth(ground);
      const begin = performance.now();
      const run = await execute<Run>(ground, 'reconcile');
      const took = performance.now() - begin;
      must(run.isComplete && run.observations['enqueued'] === 0, JSON.stringify(run));
      return `${run.walked} patients; ${(took / floor).toFixed(1)} × paging both sides`;
    },
  },
];
