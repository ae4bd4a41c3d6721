/** `admin`: answers whoever may ask, and writes every ask down. */
import type { AuditEvent, Bundle } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { execute, must } from '../ground.ts';
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
];
