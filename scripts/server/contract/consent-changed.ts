/** `consent-changed`: what is permitted is there, and what no longer is has gone. */
import { consentToShare } from '../../story/consent.ts';
import { admit, ALL, consent, holds, NONE, must } from '../ground.ts';
import type { Check } from '../ground.ts';

export const CONSENT_CHANGED: readonly Check[] = [
  {
    bot: 'consent-changed',
    promise: 'grant: everything there is comes over',
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted);
      return holds(ground, admitted, { ...ALL, values: [72] });
    },
  },
  {
    bot: 'consent-changed',
    promise: 'narrow, widen, revoke, delete',
    async prove(ground) {
      const admitted = await admit(ground);
      const { id } = await consent(ground, admitted);
      const all = consentToShare(`Patient/${admitted.patient.id}`);
      const put = (changes: object): Promise<unknown> =>
        ground.source.send('PUT', `Consent/${id}`, { ...all, id, ...changes });
      await holds(ground, admitted, ALL);
      await put(consentToShare(`Patient/${admitted.patient.id}`, ['DEMOGRAPHICS', 'ENCOUNTERS']));
      const narrow = await holds(ground, admitted, { ...ALL, Observation: 0 });
      await put({});
      await holds(ground, admitted, ALL);
      await put({ status: 'inactive' });
      await holds(ground, admitted, NONE);
      await put({});
      await holds(ground, admitted, ALL);
      await ground.source.send('DELETE', `Consent/${id}`);
      return `narrow: ${narrow}; deleted: ${await holds(ground, admitted, NONE)}`;
    },
  },
  {
    bot: 'consent-changed',
    promise: 'a copy holds no name, label or id of the source',
    async prove(ground) {
      const admitted = await admit(ground);
      await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const copies = await Promise.all(
        ['Patient', 'Encounter', 'Observation'].map((type) => ground.replica.get(`${type}?_count=1000`))
      );
      const text = JSON.stringify(copies);
      const leaks = [
        'Zebedee',
        'MRN-',
        '1971-03-04',
        'pulse of',
        admitted.patient.id,
        admitted.encounter.id,
        admitted.pulse.id,
      ].filter((each) => text.includes(each));
      must(leaks.length === 0, `found on the replica: ${leaks.join(', ')}`);
      return `${text.length} characters, none of them`;
    },
  },
];
