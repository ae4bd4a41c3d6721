/** What an ADMIN may ask about reconciliation. The work itself is that of the bot `reconcile`. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { TYPE_NAMES } from '../../config/policy.ts';
import { adminAction } from '../action.ts';
import type { Actions, AdminDeps } from '../action.ts';
import { historySearch, organizationOf, pluralOf, resultIn } from '../reconciliation.ts';
import type { Counts, Result } from '../reconciliation.ts';

const BOT = 'reconcile';
/** The admin has an answer to give: what takes longer goes on by itself at the next tick. */
const PATIENCE_SECONDS = 8;
const TYPES = [...TYPE_NAMES, ...TYPE_NAMES.map(pluralOf)];

const orgId = { kind: 'id', why: 'Only patients of this Organization.' } as const;
const scope = {
  types: { kind: 'list', choices: TYPES, why: 'Encounter or encounters, and so on; all by default.' },
  patient: { kind: 'patient', why: 'Only this one.' },
  orgId,
  batchSize: { kind: 'integer', min: 1, max: 1000, why: 'Records in one page; 1000 by default.' },
  staleDays: { kind: 'integer', max: 36_500, why: 'Leaves copies that are stale for fewer days to the events.' },
  deep: { kind: 'boolean', why: 'Also reads contents of copies and checks them against their digests.' },
  dryRun: { kind: 'boolean', why: 'Says what would be done, and writes nothing.' },
} as const;

async function results({ source, config }: AdminDeps, count: number): Promise<Result[]> {
  const page = await source.search(historySearch(config.systems, count));
  return (page.entry ?? []).flatMap(({ resource }) => resultIn(resource as AuditEvent | undefined) ?? []);
}

function statsOf(result: Result | undefined): object {
  if (!result) {
    return { stats: {}, asOf: null };
  }
  const rows = TYPE_NAMES.flatMap((type) => {
    const counts = result[pluralOf(type)] as Counts | undefined;
    return counts ? [[pluralOf(type), standingOf(counts)] as const] : [];
  });
  return { stats: Object.fromEntries(rows), asOf: result.endTime, runId: result.runId };
}

/** After a run what it found is repaired, but for what failed. */
function standingOf({ total, withheld, errors, notSynced, stale }: Counts): object {
  const open = Math.min(errors, notSynced + stale);
  const left = Math.min(open, notSynced);
  return { total, synced: total - withheld - errors, notSynced: left, stale: open - left, withheld, errors };
}

const bulkSync: Actions = Object.fromEntries(
  TYPE_NAMES.map((type) => [
    `bulk-sync/${pluralOf(type)}`,
    adminAction({
      effect: 'change',
      why: `Copies each ${type} that should have a copy, with the Patients and Encounters that it needs.`,
      parameters: {
        orgId,
        limit: { kind: 'integer', min: 1, why: 'At most so many copies.' },
        onlyNotSynced: { kind: 'boolean', why: 'Leaves copies alone that are stale; true by default.' },
      },
      run: async ({ bots }, { onlyNotSynced = true, ...rest }) => ({
        success: true,
        ...(await bots.ask(BOT, { types: [type], onlyNotSynced, seconds: PATIENCE_SECONDS, ...rest })),
      }),
    }),
  ])
);

export const RECONCILIATION_ACTIONS: Actions = {
  'reconciliation/stats': adminAction({
    effect: 'read',
    why: 'How many records have a copy, by type, as of the last complete reconciliation.',
    parameters: { orgId },
    run: async (deps, values) => {
      const organization = values.orgId && organizationOf(values.orgId);
      const last = (await results(deps, 100)).find((one) => one.isWhole && one.organization === organization);
      return { success: true, ...statsOf(last) };
    },
  }),
  'reconciliation/history': adminAction({
    effect: 'read',
    why: 'What past reconciliations have come to, newest first.',
    parameters: { limit: { kind: 'integer', min: 1, max: 100, why: 'How many; 10 by default.' } },
    run: async (deps, { limit = 10 }) => {
      const history = await results(deps, 200);
      return { success: true, count: Math.min(limit, history.length), history: history.slice(0, limit) };
    },
  }),
  'reconciliation/run': adminAction({
    effect: 'change',
    why: 'Begins a reconciliation, or goes on with the open one; what takes longer goes on by itself.',
    parameters: scope,
    run: async ({ bots }, values) => ({
      success: true,
      ...(await bots.ask(BOT, { ...values, seconds: PATIENCE_SECONDS })),
    }),
  }),
  'reconciliation/cron': adminAction({
    effect: 'change',
    why: 'The nightly reconciliation, now: for a schedule outside of Medplum.',
    parameters: { batchSize: scope.batchSize, staleDays: scope.staleDays },
    run: async ({ bots }, values) => ({
      success: true,
      ...(await bots.ask(BOT, { ...values, seconds: PATIENCE_SECONDS })),
    }),
  }),
  ...bulkSync,
};
