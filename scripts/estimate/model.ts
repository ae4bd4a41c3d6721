/** A volume profile → what a day of it costs. Pure arithmetic over measured costs. */
import { costOf, FLOWS } from './costs.ts';
import type { Cost, Costs, Flow } from './costs.ts';

/** What a deployment has to do. */
export interface Profile {
  readonly patients: number;
  /** The share of them with a Consent that permits copies. */
  readonly consenting: number;
  readonly recordsPerPatient: number;
  /** Creates, updates and deletes a day, by type. */
  readonly changes: Readonly<Record<string, number>>;
  /** The shares of the changes that create and that delete; the rest updates. */
  readonly created: number;
  readonly deleted: number;
  /** The share of changes that become jobs: the replica was away. */
  readonly queued: number;
  /** A day. */
  readonly consents: { readonly given: number; readonly revoked: number };
  readonly reads: { readonly export: number; readonly gateway: number; readonly reveal: number };
  /** Reads a day on the replica by others than the bots: each is mirrored. */
  readonly partnerReads: number;
  readonly scrapeSeconds: number;
  /** How much busier the busiest minute is than the average one. */
  readonly peak: number;
}

export const DEFAULT_PROFILE: Profile = {
  patients: 10_000,
  consenting: 0.6,
  recordsPerPatient: 150,
  changes: {
    Patient: 100,
    Encounter: 600,
    Observation: 6000,
    Condition: 400,
    MedicationRequest: 500,
    DiagnosticReport: 400,
  },
  created: 0.8,
  deleted: 0.01,
  queued: 0.01,
  consents: { given: 20, revoked: 2 },
  reads: { export: 50, gateway: 500, reveal: 5 },
  partnerReads: 2000,
  scrapeSeconds: 60,
  peak: 10,
};

/** Of one flow, on one day. */
export interface Row {
  readonly flow: Flow;
  readonly bot: string;
  readonly times: number;
  readonly cost: Cost;
}

/** One membership against its quota. */
export interface Load {
  readonly membership: string;
  readonly requests: number;
  readonly units: number;
  /** In the busiest minute. */
  readonly peakUnits: number;
  readonly quota: number;
  /** Of the quota, in that minute. */
  readonly share: number;
}

/** What a day costs. */
export interface Estimate {
  readonly rows: readonly Row[];
  readonly loads: readonly Load[];
  readonly total: Cost;
  /** One Consent of an average patient, all at once, in units of the replica. */
  readonly backfillUnits: number;
}

const DAY_MINUTES = 1440;
/** Cron: every five minutes. */
const TICKS = DAY_MINUTES / 5;
/** These come when people work, all others by the clock. */
const BY_PEOPLE: readonly string[] = ['sync-change', 'consent-changed', 'export', 'gateway', 'reveal'];
/** Medplum's default for each membership (`platform.md` §5.1). */
export const DEFAULT_QUOTA = 50_000;
const REPLICA = 'client on the replica';

/**
 * @param profile - What there is to do.
 * @param costs - What each thing costs.
 * @param quotas - Units a minute by bot, where a deployment raises them.
 * @returns What a day costs.
 */
export function estimate(profile: Profile, costs: Costs, quotas: Readonly<Record<string, number>>): Estimate {
  const rows = timesOf(profile, costs).map(([flow, times]): Row => ({
    flow,
    bot: FLOWS[flow],
    times,
    cost: costOf((name) => costs[flow][name] * times),
  }));
  const total = sumOf(rows);
  const bots = [...new Set<string>(rows.map(({ bot }) => bot))];
  const peakOf = (bot: string): number => (BY_PEOPLE.includes(bot) ? profile.peak : 1);
  const load = (membership: string, requests: number, units: number, perMinute: number): Load => {
    const quota = quotas[membership] ?? DEFAULT_QUOTA;
    const peakUnits = perMinute;
    return { membership, requests, units, peakUnits, quota, share: peakUnits / quota };
  };
  const loads = bots.map((bot) => {
    const { requests, units } = sumOf(rows.filter((row) => row.bot === bot));
    return load(bot, requests, units, (units / DAY_MINUTES) * peakOf(bot));
  });
  const replicaPeak = rows.reduce((sum, { bot, cost }) => sum + (cost.replicaUnits / DAY_MINUTES) * peakOf(bot), 0);
  loads.push(load(REPLICA, total.replicaRequests, total.replicaUnits, replicaPeak));
  const each = costs['consent-given-record'].replicaUnits * profile.recordsPerPatient;
  return { rows, loads, total, backfillUnits: costs['consent-given'].replicaUnits + each };
}

function timesOf(profile: Profile, costs: Costs): (readonly [Flow, number])[] {
  const { consenting, created, deleted, queued, consents, reads, recordsPerPatient } = profile;
  const changes = Object.values(profile.changes).reduce((sum, count) => sum + count, 0);
  const copied = changes * consenting;
  const times: (readonly [Flow, number])[] = [
    ['change-created', copied * created],
    ['change-updated', copied * (1 - created - deleted)],
    ['change-deleted', copied * deleted],
    ['change-refused', changes - copied],
    ['consent-given', consents.given],
    ['consent-given-record', consents.given * recordsPerPatient],
    // An erasure is looked at once more, ten minutes later.
    ['consent-revoked', consents.revoked * 2],
    ['consent-revoked-record', consents.revoked * recordsPerPatient * 2],
    ['sweep-idle', TICKS],
    ['sweep-change', copied],
    ['retry-idle', DAY_MINUTES],
    ['retry-job', copied * queued],
    ['reconcile-idle', TICKS],
    ['reconcile-night', 1],
    ['reconcile-record', profile.patients * recordsPerPatient],
    ['scrape', 86_400 / profile.scrapeSeconds],
    ['export', reads.export],
    ['gateway', reads.gateway],
    ['reveal', reads.reveal],
    ['mirror-night', 1],
  ];
  // What all this leaves in the replica's trail is mirrored as well.
  const written = times.reduce((sum, [flow, count]) => sum + costs[flow].replicaEvents * count, 0);
  return [...times, ['mirror-event', written + profile.partnerReads]];
}

function sumOf(rows: readonly Row[]): Cost {
  return costOf((name) => rows.reduce((sum, { cost }) => sum + cost[name], 0));
}
