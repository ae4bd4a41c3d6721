/** `gateway`: reads of the replica for whoever may, nothing else, and nothing after the revocation. */
import type { Bundle, Patient, Resource } from '@medplum/fhirtypes';
import { admit, ALL, consent, execute, holds, must } from '../ground.ts';
import type { Check } from '../ground.ts';

interface Passed<T extends Resource> {
  readonly status: number;
  readonly body: T;
}

export const GATEWAY: readonly Check[] = [
  {
    bot: 'gateway',
    promise: 'an ADMIN reads and searches copies by token, writes nothing, and sees nothing after the revocation',
    async prove(ground) {
      const admitted = await admit(ground);
      const given = await consent(ground, admitted);
      await holds(ground, admitted, ALL);
      const whole = await execute<Bundle>(ground, 'export', { patient: `Patient/${admitted.patient.id}` });
      const token = (whole.entry?.[0]?.resource as Patient | undefined)?.identifier?.[0]?.value ?? '';
      const get = async <T extends Resource = Bundle>(path: string): Promise<Passed<T>> =>
        execute<Passed<T>>(ground, 'gateway', { method: 'GET', path });
      const refusalOf = async (method: string, path: string): Promise<string> =>
        execute(ground, 'gateway', { method, path }).then(
          () => 'answered',
          (error: unknown) => String(error)
        );
      const patient = await get<Patient>(`Patient/${token}`);
      must(patient.body.resourceType === 'Patient' && patient.status === 200, `the Patient: ${patient.status}`);
      const found = await get(
        `Observation?patient=${token}&value-quantity=gt0&_sort=-date&_count=1&_include=Observation:subject`
      );
      const types = (found.body.entry ?? []).map(({ resource }) => resource?.resourceType).join(' ');
      must(types === 'Observation Patient', `the search found: ${types}`);
      const pages = await get(`Encounter?_count=1&_sort=_lastUpdated`);
      must(pages.body.total === undefined, 'there is a total');
      for (const path of ['Patient/../Bot', `Patient/${patient.body.id}/$expunge`, 'Patient?name=x']) {
        const refused = await refusalOf('GET', path);
        must(/does not pass this on/.test(refused), `${path}: ${refused}`);
      }
      must(/does not pass this on/.test(await refusalOf('DELETE', `Patient/${token}`)), 'a DELETE was passed on');
      await holds(ground, admitted, ALL);
      await ground.source.send('PUT', `Consent/${given.id}`, { ...given, status: 'inactive' });
      const refused = await refusalOf('GET', `Patient/${token}`);
      must(/does not pass this on/.test(refused), `after the revocation: ${refused}`);
      await holds(ground, admitted, { Patient: 0, Encounter: 0, Observation: 0 });
      return `read, ${types}; then refused`;
    },
  },
];
