/** `reveal`: shows an original to somebody who may see it, and to nobody else. */
import type { Patient } from '@medplum/fhirtypes';
import { admit, ALL, consent, copiesOf, execute, holds, must } from '../ground.ts';
import type { Check } from '../ground.ts';

export const REVEAL: readonly Check[] = [
  {
    bot: 'reveal',
    promise: 'an ADMIN sees the original of a consented copy, and after the revocation nobody does',
    async prove(ground) {
      const admitted = await admit(ground);
      const given = await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const copy = (await copiesOf(ground, admitted.patient.id)).find(({ resourceType }) => resourceType === 'Patient');
      const token = (copy as Patient | undefined)?.identifier?.[0]?.value ?? '';
      const ask = { token, purpose: 'TREAT', reason: 'a check of the deployment' };
      const original = await execute<Patient>(ground, 'reveal', ask);
      must(original.id === admitted.patient.id, `the answer is ${original.resourceType}/${original.id}`);
      await ground.source.send('PUT', `Consent/${given.id}`, { ...given, status: 'inactive' });
      await holds(ground, admitted, { Patient: 0, Encounter: 0, Observation: 0 });
      const refused = await execute(ground, 'reveal', ask).then(
        () => 'shown',
        (error: unknown) => String(error)
      );
      must(/reveal-refused|payload-missing/.test(refused), `after the revocation: ${refused}`);
      return `Patient/… by ${token.slice(0, 3)}…; then ${/payload-missing/.test(refused) ? 'payload-missing' : 'reveal-refused'}`;
    },
  },
];
