/** `export`: the copies of one patient, to somebody who may see them, and to nobody after the revocation. */
import type { Bundle } from '@medplum/fhirtypes';
import { admit, ALL, consent, execute, holds, must } from '../ground.ts';
import type { Check } from '../ground.ts';

export const EXPORT: readonly Check[] = [
  {
    bot: 'export',
    promise:
      'an ADMIN gets the de-identified record of a patient, by type and in pages; after the revocation nobody does',
    async prove(ground) {
      const admitted = await admit(ground);
      const given = await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const ask = { patient: `Patient/${admitted.patient.id}` };
      const whole = await execute<Bundle>(ground, 'export', ask);
      must(
        whole.type === 'searchset' && whole.total === whole.entry?.length,
        `${whole.entry?.length} of ${whole.total}`
      );
      must(whole.entry?.[0]?.resource?.resourceType === 'Patient', 'the Patient is not first');
      const page = await execute<Bundle>(ground, 'export', { ...ask, type: 'Observation', _count: '1' });
      must(
        page.entry?.length === 1 && page.entry[0]?.resource?.resourceType === 'Observation',
        'no page of Observations'
      );
      await ground.source.send('PUT', `Consent/${given.id}`, { ...given, status: 'inactive' });
      const refused = await execute(ground, 'export', ask).then(
        () => 'exported',
        (error: unknown) => String(error)
      );
      must(/export-refused|not exported/.test(refused), `after the revocation: ${refused}`);
      await holds(ground, admitted, { Patient: 0, Encounter: 0, Observation: 0 });
      return `${whole.total} resources; then refused`;
    },
  },
];
