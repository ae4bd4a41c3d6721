/** What each thing that the bots do costs, as measured in the sandbox. `costs.json` is written by `npm run estimate -- --measure`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readManifest } from '../deploy/manifest.ts';

/** The figures of one thing that is done. */
export const FIGURES = [
  'requests',
  'units',
  'replicaRequests',
  'replicaUnits',
  'events',
  'replicaEvents',
  'bytes',
  'replicaBytes',
] as const;

/**
 * `requests` and `units` are those to the source, in the name of one bot; `events` are AuditEvents, ours and Medplum's own; `bytes` are those of
 * the AuditEvents and of everything else that is written, as JSON.
 */
export type Cost = Readonly<Record<(typeof FIGURES)[number], number>>;

/** Whose quota it is, and what happens. */
export const FLOWS = {
  'change-created': 'sync-change',
  'change-updated': 'sync-change',
  'change-deleted': 'sync-change',
  'change-refused': 'sync-change',
  'consent-given': 'consent-changed',
  'consent-given-record': 'consent-changed',
  'consent-revoked': 'consent-changed',
  'consent-revoked-record': 'consent-changed',
  'sweep-idle': 'sweep',
  'sweep-change': 'sweep',
  'retry-idle': 'retry-jobs',
  'retry-job': 'retry-jobs',
  'reconcile-idle': 'reconcile',
  'reconcile-night': 'reconcile',
  'reconcile-record': 'reconcile',
  'mirror-night': 'mirror-audit',
  'mirror-event': 'mirror-audit',
  scrape: 'metrics',
  export: 'export',
  gateway: 'gateway',
  reveal: 'reveal',
} as const;
export type Flow = keyof typeof FLOWS;
export type Costs = Readonly<Record<Flow, Cost>>;

export const COSTS_FILE = join(import.meta.dirname, 'costs.json');

/** @returns The costs as they were measured last; `test/estimate.test.ts` measures again and compares. */
export function readCosts(): Costs {
  return JSON.parse(readFileSync(COSTS_FILE, 'utf8')) as Costs;
}

/**
 * @param name - Of each figure.
 * @returns A cost made of them.
 */
export function costOf(name: (figure: (typeof FIGURES)[number]) => number): Cost {
  return Object.fromEntries(FIGURES.map((figure) => [figure, name(figure)])) as Cost;
}

/** @returns Units a minute by bot, where `npm run deploy` raises them. */
export function quotas(): Record<string, number> {
  return Object.fromEntries(
    readManifest().bots.flatMap(({ name, quotaPerMinute }) =>
      quotaPerMinute === undefined ? [] : [[name, quotaPerMinute] as const]
    )
  );
}
