/** What all bots promise: a valid trail without PHI, and no right that they do not need. */
import type { AuditEvent, Bundle, ProjectMembership, Resource } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { readManifest } from '../../deploy/manifest.ts';
import type { Interaction } from '../../deploy/manifest.ts';
import { signIn } from '../../story/rest.ts';
import { botsOf, FAMILY, must } from '../ground.ts';
import type { Check } from '../ground.ts';
import { createClient } from '../projects.ts';

/** Types that not every bot has an entry for, and two that would make a bot mightier than it is. */
const GUARDED = [
  'Practitioner',
  'Patient',
  'Observation',
  'DocumentReference',
  'Task',
  'AuditEvent',
  'ClientApplication',
  'Bot',
];

export const TRAIL: readonly Check[] = [
  {
    bot: 'all',
    promise: 'every event of the trail is valid FHIR and holds no name',
    async prove({ source }) {
      const page = await source.get<Bundle<AuditEvent>>(
        `AuditEvent?type=${encodeURIComponent(`${systemsOf().auditType}|FHIR_SYNC`)}&_count=1000&_sort=-_lastUpdated`
      );
      const events = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
      must(events.length > 0, 'there are none');
      const kinds = new Map(
        events.map((event) => [`${event.action} ${event.outcome} ${event.outcomeDesc?.replace(/\d+/g, 'n')}`, event])
      );
      for (const { meta: _meta, ...event } of kinds.values()) {
        await source.send('POST', 'AuditEvent/$validate', event);
      }
      const named = events.filter((event) => JSON.stringify(event).includes(FAMILY.split('-')[0] ?? ''));
      must(named.length === 0, `${named.length} events hold a name: ${JSON.stringify(named[0])}`);
      return `${events.length} events of ${kinds.size} kinds`;
    },
  },
  {
    bot: 'all',
    promise: 'no run ended unexpectedly',
    async prove({ source }) {
      const page = await source.get<Bundle<AuditEvent>>(
        `AuditEvent?type=${encodeURIComponent('https://medplum.com/CodeSystem/audit-event|execute')}&_count=1000`
      );
      const runs = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
      const failed = runs.filter(({ outcome }) => outcome !== '0');
      must(failed.length === 0, `${failed.length} runs failed, such as: ${failed[0]?.outcomeDesc?.slice(0, 600)}`);
      return 'no AuditEvent of a failed run';
    },
  },
  {
    bot: 'all',
    promise: 'the policy of a bot lets it do what the manifest says, and no more',
    async prove(ground) {
      const { source, admin, project } = ground;
      let refused = 0;
      const bots = await botsOf(ground);
      for (const { name, access, requires } of readManifest().bots) {
        const bot = bots.get(name);
        if (requires && !bot) {
          // Deployed only where that setting is given.
          continue;
        }
        const [membership] = await admin.search<ProjectMembership>(`ProjectMembership?user=Bot/${bot?.id}`);
        const policyId = membership?.accessPolicy?.reference?.split('/')[1];
        must(policyId !== undefined, `${name} has no policy`);
        const twin = await signIn(source.baseUrl, await createClient(admin, project.projectId, `as ${name}`, policyId));
        const may = (type: string, interaction: Interaction): boolean =>
          access.some((entry) => entry.resourceType === type && entry.interaction.includes(interaction));
        const attempts = [
          ...GUARDED.filter((type) => !may(type, 'search')).map((type) => ['GET', type, () => twin.get(type)] as const),
          ...(['Patient', 'Consent', 'Task'] as const)
            .filter((type) => !may(type, 'create'))
            .map((type) => ['POST', type, () => twin.send('POST', type, { resourceType: type } as Resource)] as const),
          [
            'POST',
            'Basic of another code',
            () => twin.send('POST', 'Basic', { resourceType: 'Basic', code: { text: 'x' } }),
          ] as const,
        ];
        for (const [method, type, attempt] of attempts) {
          const answer = await attempt().then(
            () => 'allowed',
            (error: unknown) => (error as Error).message
          );
          must(/status 403/.test(answer), `${name}, ${method} ${type}: ${answer}`);
          refused++;
        }
      }
      return `${refused} attempts beyond it, all 403`;
    },
  },
];
