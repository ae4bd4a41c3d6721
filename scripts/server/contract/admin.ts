/** `admin`: answers whoever may ask, and writes every ask down. */
import type { AuditEvent, Bundle } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { Explanation } from '../../../src/flows/sync/explain.ts';
import { admit, consent, execute, holds, must } from '../ground.ts';
import type { Check } from '../ground.ts';

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
