/** What an ADMIN can ask of the trail, in the shapes of the seeds (§6.3). */
import type { Basic } from '@medplum/fhirtypes';
import { adminAction } from '../action.ts';
import type { Actions, AdminDeps } from '../action.ts';
import { csvOf, listedExport, REPORTS } from './report.ts';
import type { ReportKind } from './report.ts';
import { reportRows, searchMirrored, shown } from './search.io.ts';
import { stateOf, stateSearch } from './state.ts';

const RUN = {
  limit: { kind: 'integer', min: 1, why: 'How many events to store at most.' },
  forceSince: { kind: 'text', why: 'From when on to look, instead of from the watermark: an ISO 8601 instant.' },
} as const;

async function run(
  { bots }: AdminDeps,
  { limit, forceSince }: { readonly limit: number | undefined; readonly forceSince: string | undefined }
): Promise<object> {
  const ask = { ...(limit !== undefined && { limit }), ...(forceSince !== undefined && { forceSince }) };
  return { success: true, result: await bots.ask('mirror-audit', ask) };
}

const DAY_MS = 86_400_000;

export const AUDIT_ACTIONS: Actions = {
  'audit-mirror/stats': adminAction({
    effect: 'read',
    why: 'Says when the mirror ran, how far it has come, and how much it has stored.',
    parameters: {},
    async run({ source, config }) {
      const page = await source.search(stateSearch(config.systems));
      const state = stateOf(config.systems, page.entry?.[0]?.resource as Basic | undefined);
      return {
        success: true,
        stats: {
          lastRun: state.recentRuns[0]?.timestamp,
          lastSyncedAt: state.watermark,
          totalMirrored: state.totalMirrored,
          recentRuns: state.recentRuns,
        },
      };
    },
  }),
  'audit-mirror/run': adminAction({
    effect: 'change',
    why: 'Runs the mirror now.',
    parameters: RUN,
    run,
  }),
  'audit-mirror/cron': adminAction({
    effect: 'change',
    why: 'The same, under the name by which a scheduler of the seeds calls it.',
    parameters: RUN,
    run,
  }),
  'audit-mirror/search': adminAction({
    effect: 'read',
    why: 'Finds mirrored events of the replica.',
    parameters: {
      orgId: { kind: 'code', why: 'An organization.' },
      eventTypes: { kind: 'list', why: 'FHIR_CREATE, FHIR_READ, FHIR_UPDATE, FHIR_DELETE, FHIR_EXECUTE.' },
      since: { kind: 'date', why: 'From when on.' },
      until: { kind: 'date', why: 'Until when.' },
      agentReference: { kind: 'text', why: 'Who acted, as the replica calls them: Practitioner/<id>.' },
      entityReference: { kind: 'text', why: 'About what: Patient/<id>, or Patient/<pt_ token>.' },
      limit: { kind: 'integer', min: 1, max: 1000, why: 'How many at most; 100 unless said otherwise.' },
    },
    async run({ source, config }, query) {
      const events = await searchMirrored(source, config.systems, query);
      return { success: true, count: events.length, events: events.map((event) => shown(event, config.systems)) };
    },
  }),
  'exports/list': adminAction({
    effect: 'read',
    why: 'Lists exports.',
    parameters: {
      days: { kind: 'integer', min: 1, max: 3650, why: 'Of how many days back; 90 unless said otherwise.' },
    },
    async run({ source, config, clock }, { days = 90 }) {
      const since = new Date(clock.now() - days * DAY_MS).toISOString();
      const exports = (await reportRows(source, config, { kind: 'exports', since })).map(listedExport);
      return { success: true, count: exports.length, exports };
    },
  }),
  'audit/report': adminAction({
    effect: 'read',
    why: 'Makes a compliance report out of the trail that is still in the source. Where it is asked about days that are in archives, it says `archivedBefore`: `npm run audit -- report` reads those as well.',
    parameters: {
      kind: { kind: 'code', isRequired: true, choices: REPORTS, why: 'Which report.' },
      days: { kind: 'integer', min: 1, max: 3650, why: 'Of how many days back; 90 unless said otherwise.' },
      patient: { kind: 'patient', why: 'Of one patient only.' },
      csv: { kind: 'boolean', why: 'As CSV.' },
    },
    run: async (deps, { kind, days, patient, csv }) => report(deps, kind as ReportKind, days, patient, csv),
  }),
};

async function report(
  { source, config, clock }: AdminDeps,
  kind: ReportKind,
  days = 90,
  patient?: string,
  csv = false
): Promise<object> {
  const since = new Date(clock.now() - days * DAY_MS).toISOString();
  const whose = patient === undefined ? undefined : `Patient/${patient}`;
  const rows = await reportRows(source, config, { kind, since, patient: whose });
  const archivedBefore = new Date(clock.now() - config.audit.retentionDays * DAY_MS).toISOString();
  return {
    success: true,
    kind,
    since,
    ...(since < archivedBefore && { archivedBefore }),
    count: rows.length,
    ...(csv ? { csv: csvOf(rows) } : { rows }),
  };
}
