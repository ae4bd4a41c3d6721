/** `admin`: answers whoever may ask, and writes every ask down. */
import type { AuditEvent, Bundle } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { Explanation } from '../../../src/flows/sync/explain.ts';
import { admit, ALL, consent, eventually, execute, holds, must } from '../ground.ts';
import type { Check } from '../ground.ts';

/** What `queue/stats` answers, as far as it is looked at. */
interface Counted {
  readonly stats: { readonly waiting: number; readonly active: number; readonly paused: number };
  readonly held: string | false;
}

export const ADMIN: readonly Check[] = [
  {
    bot: 'admin',
    promise:
      'tells a listed client what can be asked, says no to what it does not know, and writes both down as valid FHIR',
    async prove(ground) {
      const { actions } = await execute<{ actions: readonly { action: string }[] }>(ground, 'admin', {
        action: 'help',
      });
      must(actions.length > 0, 'there are no actions');
      const refused = await execute(ground, 'admin', { action: 'no/such' }).then(
        () => 'answered',
        (error: unknown) => String(error)
      );
      must(refused.includes('action-unknown'), `an unknown action: ${refused}`);
      const type = encodeURIComponent(`${systemsOf().auditType}|FHIR_ADMIN`);
      const page = await ground.source.get<Bundle<AuditEvent>>(`AuditEvent?type=${type}&_count=100`);
      const events = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
      for (const outcome of ['0', '4']) {
        const event = events.find((one) => one.outcome === outcome);
        must(event !== undefined, `no FHIR_ADMIN event with outcome ${outcome}`);
        const { meta: _meta, ...content } = event;
        await ground.source.send('POST', 'AuditEvent/$validate', content);
      }
      return `${actions.length} actions`;
    },
  },
  {
    bot: 'admin',
    promise: 'queue/pause holds what is due, queue/stats counts it, and after queue/resume it is delivered',
    async prove(ground) {
      const ask = async <T>(action: string): Promise<T> => execute<T>(ground, 'admin', { action });
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      let counted: Counted;
      try {
        const { held } = await ask<{ held: unknown }>('queue/pause');
        must(held === 'paused', `paused: ${JSON.stringify(held)}`);
        await ground.source.send('PUT', `Observation/${admitted.pulse.id}`, {
          ...admitted.pulse,
          valueQuantity: { ...admitted.pulse.valueQuantity, value: 94 },
        });
        const isCounted = ({ stats, held }: Counted): boolean =>
          stats.paused > 0 && stats.waiting === 0 && held === 'paused';
        counted = await eventually('a job that waits', () => ask<Counted>('queue/stats'), isCounted);
        const run = await execute<{ held?: string }>(ground, 'retry-jobs');
        must(run.held === 'paused', `a run while paused: ${JSON.stringify(run)}`);
      } finally {
        const { held } = await ask<{ held: unknown }>('queue/resume');
        must(held === false, `resumed: ${JSON.stringify(held)}`);
      }
      await execute(ground, 'retry-jobs');
      const isEmpty = ({ stats, held }: Counted): boolean =>
        stats.waiting + stats.active + stats.paused === 0 && held === false;
      await eventually('an empty queue', () => ask<Counted>('queue/stats'), isEmpty);
      return `${counted.stats.paused} held by the pause; then ${await holds(ground, admitted, { ...ALL, values: [94] })}`;
    },
  },
  {
    bot: 'explain',
    promise: 'admin explains by it why a record is copied or not, with token and element names, and without a value',
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted, ['DEMOGRAPHICS', 'VITAL_SIGNS']);
      await holds(ground, admitted, { Patient: 1, Encounter: 0 });
      const patient = admitted.patient.id;
      const resource = `Patient/${patient},Encounter/${admitted.encounter.id}`;
      const { records } = await execute<{ records: readonly Explanation[] }>(ground, 'admin', {
        action: 'explain',
        patient,
        resource,
      });
      const [person, visit] = records;
      must(person?.would === 'copy' && person.token?.startsWith('pt_') === true, `the Patient: ${person?.would}`);
      must(person.sent.includes('birthDate') && person.dropped.includes('id'), `sent: ${person.sent.join(' ')}`);
      must(visit?.reason === 'consent-class', `the Encounter: ${visit?.reason}`);
      const birthDate = admitted.patient.birthDate ?? 'none';
      must(!JSON.stringify(records).includes(birthDate), 'there is a value in it');
      const { types } = await execute<{ types: readonly object[] }>(ground, 'admin', { action: 'explain', patient });
      must(types.length === 3, `${types.length} types`);
      return person.says;
    },
  },
];
