/** `sync-change`: the copy follows the record, whatever order the events come in. */
import type {
  Bundle,
  BundleEntry,
  DocumentReference,
  Encounter,
  Observation,
  Patient,
  Resource,
} from '@medplum/fhirtypes';
import type { WithId } from '@medplum/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { consentToShare } from '../../story/consent.ts';
import { admit, ALL, consent, copiesOf, eventually, execute, held, holds, must, NONE, observation } from '../ground.ts';
import type { Check } from '../ground.ts';

const BURST = 20;

export const SYNC_CHANGE: readonly Check[] = [
  {
    bot: 'sync-change',
    promise: 'without consent nothing is copied, and the refusal is in the trail',
    async prove(ground) {
      const admitted = await admit(ground);
      const search = `AuditEvent?entity=Patient/${admitted.patient.id}&type=FHIR_SYNC`;
      const refused = await eventually(
        'trail',
        () => ground.source.count(search),
        (count) => count >= 3
      );
      await holds(ground, admitted, NONE);
      return `${refused} refusals, replica empty`;
    },
  },
  {
    bot: 'sync-change',
    promise: 'create, update and delete of a record',
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const { source } = ground;
      const second = await source.send<Observation>(
        'POST',
        'Observation',
        observation(admitted.patient.id, admitted.encounter.id, 81)
      );
      await holds(ground, admitted, { Observation: 2, values: [72, 81] });
      await source.send('PUT', `Observation/${second.id}`, {
        ...second,
        valueQuantity: { ...second.valueQuantity, value: 99 },
      });
      await holds(ground, admitted, { values: [72, 99] });
      await source.send('DELETE', `Observation/${second.id}`);
      return holds(ground, admitted, { ...ALL, values: [72] });
    },
  },
  {
    bot: 'sync-change',
    promise: 'a record tagged no-sync loses its copy',
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const tag = [{ system: systemsOf().sync, code: 'no-sync' }];
      await ground.source.send('PUT', `Observation/${admitted.pulse.id}`, { ...admitted.pulse, meta: { tag } });
      return holds(ground, admitted, { ...ALL, Observation: 0 });
    },
  },
  {
    bot: 'sync-change',
    promise: 'a record that comes first brings its parents along',
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      // Somebody has cleared the replica: the next record finds neither Patient nor Encounter there.
      for (const { resourceType, id } of await copiesOf(ground, admitted.patient.id)) {
        await ground.replica.send('DELETE', `${resourceType}/${id}`);
      }
      await holds(ground, admitted, NONE);
      await ground.source.send('POST', 'Observation', observation(admitted.patient.id, admitted.encounter.id, 64));
      // Its siblings may come along with the Encounter, or wait for the sweep.
      const found = await eventually(
        'the record and its parents',
        () => held(ground, admitted.patient.id),
        ({ Patient, Encounter, values }) => Patient === 1 && Encounter === 1 && values.includes(64)
      );
      return `1 Patient, 1 Encounter, ${found.Observation} Observation (${found.values.join(', ')})`;
    },
  },
  {
    bot: 'sync-change',
    promise: `${BURST} versions in a burst: the last one stays`,
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      for (let value = 1; value <= BURST; value++) {
        await ground.source.send('PUT', `Observation/${admitted.pulse.id}`, {
          ...admitted.pulse,
          valueQuantity: { ...admitted.pulse.valueQuantity, value },
        });
      }
      const seen = await holds(ground, admitted, { ...ALL, values: [BURST] });
      await stays(
        () => held(ground, admitted.patient.id),
        ({ values }) => values[0] === BURST
      );
      return seen;
    },
  },
  {
    bot: 'sync-change',
    promise: 'documentation comes when its Encounter is finished, and goes when it is reopened',
    async prove(ground) {
      await ground.configure({ DOCUMENTS_WHEN_FINISHED: 'DocumentReference' });
      try {
        const { source } = ground;
        const { patient, encounter, ...rest } = await admit(ground);
        const going = await source.send<Encounter>('PUT', `Encounter/${encounter.id}`, {
          ...encounter,
          status: 'in-progress',
        });
        const note = await source.send<DocumentReference>('POST', 'DocumentReference', {
          resourceType: 'DocumentReference',
          status: 'current',
          type: { coding: [{ system: 'http://loinc.org', code: '34117-2' }] },
          subject: { reference: `Patient/${patient.id}` },
          content: [{ attachment: { contentType: 'text/plain' } }],
          context: { encounter: [{ reference: `Encounter/${encounter.id}` }] },
        });
        await consent(ground, { patient, encounter, ...rest });
        await holds(ground, { patient, encounter, ...rest }, ALL);
        const notes = async (): Promise<number> =>
          (await copiesOf(ground, patient.id)).filter(({ resourceType }) => resourceType === 'DocumentReference')
            .length;
        const seen: number[] = [await notes()];
        for (const status of ['finished', 'in-progress', 'finished'] as const) {
          await source.send('PUT', `Encounter/${encounter.id}`, { ...going, status });
          const wanted = status === 'finished' ? 1 : 0;
          seen.push(await eventually(`the note of an Encounter that is ${status}`, notes, (found) => found === wanted));
        }
        must(seen.join() === '0,1,0,1', `copies: ${seen.join()}`);
        return `copies of ${note.resourceType}: ${seen.join(', ')}`;
      } finally {
        await ground.configure({ DOCUMENTS_WHEN_FINISHED: 'NONE' });
      }
    },
  },
  {
    bot: 'sync-change',
    promise: 'everything of a patient at once, in one transaction: one copy of each',
    async prove(ground) {
      const uuid = (n: number): string => `urn:uuid:00000000-0000-4000-8000-00000000000${n}`;
      const entry = (n: number, resource: Resource): BundleEntry => ({
        fullUrl: uuid(n),
        resource,
        request: { method: 'POST', url: resource.resourceType },
      });
      const patient: Patient = { resourceType: 'Patient', name: [{ family: 'Zebedee-Quux' }], birthDate: '1980-01-02' };
      const encounter: Resource = {
        resourceType: 'Encounter',
        status: 'finished',
        class: { code: 'AMB' },
        subject: { reference: uuid(0) },
      };
      const records = [60, 61, 62, 63].map((value, index) =>
        entry(index + 3, {
          ...observation('', '', value),
          subject: { reference: uuid(0) },
          encounter: { reference: uuid(1) },
        })
      );
      const bundle: Bundle = {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [entry(0, patient), entry(1, encounter), entry(2, consentToShare(uuid(0))), ...records],
      };
      const answer = await ground.source.send<Bundle>('POST', '', bundle);
      const id = /Patient\/([^/]+)/.exec(answer.entry?.[0]?.response?.location ?? '')?.[1] ?? '';
      const admitted = {
        patient: { ...patient, id } as WithId<Patient>,
        encounter: encounter as never,
        pulse: {} as never,
      };
      const expected = { Patient: 1, Encounter: 1, Observation: 4, values: [60, 61, 62, 63] };
      try {
        const seen = await holds(ground, admitted, expected);
        await stays(
          () => held(ground, id),
          (found) => found.Patient === 1 && found.Observation === 4
        );
        return seen;
      } catch (error) {
        // Doubles of a race may stay until the sweep (README, "Duplicates are healed, not prevented").
        await execute(ground, 'sweep');
        return `${await holds(ground, admitted, expected)} after a sweep (before: ${(error as Error).message})`;
      }
    },
  },
];

/**
 * What is right must still be right when late events have come. A run that was overtaken may write its older version once more
 * before it reads again and sees: so it counts what is there when two seconds have passed without a change.
 */
async function stays<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<void> {
  let found = await look();
  for (let quiet = 0; quiet < 8; quiet++) {
    await sleep(250);
    const next = await look();
    quiet = JSON.stringify(next) === JSON.stringify(found) ? quiet : 0;
    found = next;
  }
  must(isRight(found), `it did not stay: ${JSON.stringify(found)}`);
}
