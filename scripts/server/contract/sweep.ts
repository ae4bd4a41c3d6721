/** `sweep`: what no event brought over is found. */
import type { Observation } from '@medplum/fhirtypes';
import { admit, ALL, consent, EVERYTHING, execute, holds, must, NONE, observation, unheard } from '../ground.ts';
import type { Check } from '../ground.ts';

interface Swept {
  readonly put: number;
  readonly withdrawn: number;
  readonly failed: number;
  readonly isComplete: boolean;
}

const show = ({ put, withdrawn, failed, isComplete }: Swept): string =>
  `put ${put}, withdrawn ${withdrawn}, failed ${failed}${isComplete ? '' : ', not complete'}`;

export const SWEEP: readonly Check[] = [
  {
    bot: 'sweep',
    promise: 'with Subscriptions off: a new record, a change and a deletion',
    async prove(ground) {
      const { source } = ground;
      const admitted = await unheard(ground, EVERYTHING, async () => {
        const made = await admit(ground);
        await consent(ground, made);
        return made;
      });
      const first = await execute<Swept>(ground, 'sweep');
      await holds(ground, admitted, ALL);
      const second = await source.send<Observation>(
        'POST',
        'Observation',
        observation(admitted.patient.id, admitted.encounter.id, 55)
      );
      await holds(ground, admitted, { Observation: 2 });
      await unheard(ground, EVERYTHING, async () => {
        await source.send('PUT', `Observation/${second.id}`, {
          ...second,
          valueQuantity: { ...second.valueQuantity, value: 56 },
        });
        await source.send('DELETE', `Observation/${admitted.pulse.id}`);
      });
      const again = await execute<Swept>(ground, 'sweep');
      return `${show(first)}; then ${show(again)}: ${await holds(ground, admitted, { ...ALL, values: [56] })}`;
    },
  },
  {
    bot: 'sweep',
    promise: 'a revocation and a deleted Patient of which no bot heard',
    async prove(ground) {
      const { source } = ground;
      const [revoked, deleted] = [await admit(ground), await admit(ground)];
      const given = await consent(ground, revoked);
      await consent(ground, deleted);
      await holds(ground, revoked, ALL);
      await holds(ground, deleted, ALL);
      await unheard(ground, EVERYTHING, async () => {
        await source.send('PUT', `Consent/${given.id}`, { ...given, status: 'inactive' });
        await source.send('DELETE', `Patient/${deleted.patient.id}`);
      });
      const swept = await execute<Swept>(ground, 'sweep');
      await holds(ground, revoked, NONE);
      return `${show(swept)}: ${await holds(ground, deleted, NONE)}`;
    },
  },
  {
    bot: 'sweep',
    promise: 'then nothing is left to do',
    async prove(ground) {
      await execute<Swept>(ground, 'sweep');
      const idle = await execute<Swept>(ground, 'sweep');
      must(idle.put === 0 && idle.withdrawn === 0 && idle.failed === 0 && idle.isComplete, show(idle));
      return show(idle);
    },
  },
];
