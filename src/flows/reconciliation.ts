/** What a reconciliation is asked for, how far it is, and what came of it. The bot `reconcile` and the admin's actions share it. Pure. */
import type { AuditEvent, Basic, Resource } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../config/policy.ts';
import type { ReplicatedType } from '../config/policy.ts';
import type { Systems } from '../fhir/systems.ts';

/** How a copy can differ from what it should be. All of them are a digest that differs, or a copy under a token that there should not be. */
export const KINDS = [
  'notSynced',
  'stale',
  'oldPolicy',
  'oldKey',
  'tampered',
  'mislabelled',
  'duplicate',
  'orphaned',
] as const;
export type Kind = (typeof KINDS)[number];

/** Of one type: what was looked at, what differed, what came of it. */
export interface Counts extends Readonly<Record<Kind, number>> {
  /** Records in the source. */
  readonly total: number;
  /** Records that have no copy, since Consent or policy says so. */
  readonly withheld: number;
  /** Records whose copy was brought in line. */
  readonly enqueued: number;
  readonly errors: number;
}

export const NO_COUNTS: Counts = {
  total: 0,
  notSynced: 0,
  stale: 0,
  enqueued: 0,
  errors: 0,
  orphaned: 0,
  tampered: 0,
  withheld: 0,
  duplicate: 0,
  mislabelled: 0,
  oldPolicy: 0,
  oldKey: 0,
};

/**
 * @param a - Counts.
 * @param b - More of them.
 * @returns Their sum.
 */
export function sum(a: Counts, b: Partial<Counts>): Counts {
  return Object.fromEntries(
    Object.entries(a).map(([name, count]) => [name, count + (b[name as keyof Counts] ?? 0)])
  ) as unknown as Counts;
}

/** What is to be looked at, and what may be done. */
export interface Scope {
  readonly types: readonly ReplicatedType[];
  readonly patient?: string;
  /** Only patients of this organization, `Organization/id`: by `managingOrganization` or `meta.accounts`. */
  readonly organization?: string;
  /** Records in one page, at most 1000. */
  readonly batchSize: number;
  /** A copy that has only been stale for fewer days is left to events and sweep. */
  readonly staleDays: number;
  readonly isDryRun: boolean;
  /** Whether the replica's contents are read as well, and checked against their digests. */
  readonly isDeep: boolean;
  /** Whether only what has no copy is copied. */
  readonly isFill: boolean;
  /** The run ends when so many copies were brought in line. */
  readonly limit?: number;
}

/** A difference, by names that we minted. */
export interface Listed {
  readonly resourceType: string;
  readonly token: string;
  readonly kind: Kind;
}

/** How far a run is. */
export interface RunState {
  readonly runId: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly scope: Scope;
  readonly phase: 'walk' | 'tail' | 'orphans' | 'done';
  /** Which of several searches for patients is being walked. */
  readonly feed: number;
  /** The next page of patients; the first one when absent. */
  readonly cursor?: string | undefined;
  readonly patients: number;
  readonly counts: Readonly<Record<string, Counts>>;
  /** Copies that there should be, by type. */
  readonly expected: Readonly<Record<string, number>>;
  /** Versions of patients that were seen, as far as others may still become visible behind them. */
  readonly seen: readonly string[];
  readonly errors: readonly string[];
  /** What a dry run would do, bounded. */
  readonly listed: readonly Listed[];
  /** Records per patient by type, as seen by this run and those before: how many patients fill a page. */
  readonly rates: Readonly<Record<string, number>>;
  /** How many runs of the bot it has taken. */
  readonly runs: number;
}

/** A run as it is saved. */
export interface SavedRun {
  readonly id: string;
  readonly versionId: string;
  /** Until when another run of the bot works on it, in milliseconds since the epoch. */
  readonly leasedUntil: number;
  readonly state: RunState;
}

const PREFIX = 'reconcile';

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for all runs.
 */
export function runsSearch(systems: Systems): string {
  return `Basic?code=${encodeURIComponent(`${systems.control}|checkpoint`)}&_count=1000`;
}

/**
 * One run at a time per scope, so that shards by type or organization can go side by side.
 *
 * @param scope - What is looked at.
 * @param all - All types.
 * @returns Its name.
 */
export function nameOf({ types, patient, organization }: Scope, all: readonly string[]): string {
  const parts = [organization, patient && `Patient/${patient}`, types.length < all.length && types.join('+')];
  return [PREFIX, ...parts.filter(Boolean)].join(' ');
}

/**
 * @param systems - Our systems.
 * @param name - From `nameOf`.
 * @param state - How far it is.
 * @param leasedUntil - Milliseconds since the epoch.
 * @returns The checkpoint to save.
 */
export function runBasic(systems: Systems, name: string, state: RunState, leasedUntil: number): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: name }],
    code: { coding: [{ system: systems.control, code: 'checkpoint' }] },
    extension: [
      { url: `${systems.namespace}/run`, valueString: JSON.stringify(state) },
      { url: `${systems.namespace}/leased-until`, valueInstant: new Date(leasedUntil).toISOString() },
    ],
  };
}

/**
 * @param systems - Our systems.
 * @param found - Checkpoints.
 * @returns The runs among them, by name.
 */
export function runsIn(systems: Systems, found: readonly Resource[]): ReadonlyMap<string, SavedRun> {
  const runs = new Map<string, SavedRun>();
  for (const basic of found) {
    const name = basic.resourceType === 'Basic' ? basic.identifier?.[0]?.value : undefined;
    const parts = basic.resourceType === 'Basic' ? (basic.extension ?? []) : [];
    const text = parts.find(({ url }) => url === `${systems.namespace}/run`)?.valueString;
    if (name?.split(' ')[0] === PREFIX && text) {
      const until = parts.find(({ url }) => url === `${systems.namespace}/leased-until`)?.valueInstant;
      runs.set(name, {
        id: basic.id ?? '',
        versionId: basic.meta?.versionId ?? '',
        leasedUntil: Date.parse(until ?? '') || 0,
        state: JSON.parse(text) as RunState,
      });
    }
  }
  return runs;
}

/** What a run has come to, in the seeds' shape: `encounters: {…}, observations: {…}` and so on for every type. */
export interface Result {
  readonly runId: string;
  readonly startTime: string;
  readonly endTime: string;
  readonly durationMs: number;
  readonly isComplete: boolean;
  readonly dryRun: boolean;
  /** Patients that were looked at so far. */
  readonly walked: number;
  readonly organization?: string;
  /** Whether all types were compared, of all patients, or of all of the organization. */
  readonly isWhole: boolean;
  readonly orphaned: number;
  readonly tampered: number;
  readonly withheld: number;
  /** Codes of faults, with the type that they kept from being looked at. */
  readonly errors: readonly string[];
  readonly [types: string]: unknown;
}

/**
 * @param state - How far a run is.
 * @param now - Milliseconds since the epoch.
 * @returns What it has come to.
 */
export function resultOf(state: RunState, now: number): Result {
  const { scope, counts } = state;
  const total = (name: keyof Counts): number => Object.values(counts).reduce((all, one) => all + one[name], 0);
  return {
    runId: state.runId,
    startTime: new Date(state.startedAt).toISOString(),
    endTime: new Date(now).toISOString(),
    durationMs: now - state.startedAt,
    isComplete: state.phase === 'done',
    dryRun: scope.isDryRun,
    walked: state.patients,
    ...(scope.organization && { organization: scope.organization }),
    isWhole: isWhole(scope),
    ...Object.fromEntries(scope.types.map((type) => [pluralOf(type), counts[type] ?? NO_COUNTS])),
    orphaned: total('orphaned'),
    tampered: total('tampered'),
    withheld: total('withheld'),
    enqueued: total('enqueued'),
    errors: state.errors,
  };
}

function isWhole({ patient, limit, isFill, types }: Scope): boolean {
  return !patient && limit === undefined && !isFill && REPLICATED_TYPES.every((type) => types.includes(type));
}

/**
 * @param resourceType - A type.
 * @returns The seeds' name for its records: `Encounter` → `encounters`.
 */
export function pluralOf(resourceType: string): string {
  return `${resourceType.charAt(0).toLowerCase()}${resourceType.slice(1).replace(/y$/, 'ie')}s`;
}

/** It is named and never read. */
const ORGANIZATION = 'Organization';

/**
 * @param id - Of an Organization.
 * @returns The reference to it.
 */
export function organizationOf(id: string): string {
  return `${ORGANIZATION}/${id}`;
}

/** The type of events of reconciliation, and the subtype of the one that tells of a complete run. */
export const RECONCILIATION = 'FHIR_RECONCILIATION';
export const RUN_COMPLETE = 'run-complete';

/**
 * @param systems - Our systems.
 * @param count - How many.
 * @returns A FHIR-relative search for what came of past runs, newest first.
 */
export function historySearch(systems: Systems, count: number): string {
  const type = encodeURIComponent(`${systems.auditType}|${RECONCILIATION}`);
  const subtype = encodeURIComponent(`${systems.auditDetail}|${RUN_COMPLETE}`);
  return `AuditEvent?type=${type}&subtype=${subtype}&_sort=-_lastUpdated&_count=${count}`;
}

/**
 * @param event - An event of ours.
 * @returns What it tells, if it tells of a complete run.
 */
export function resultIn(event: AuditEvent | undefined): Result | undefined {
  const text = event?.entity?.[0]?.detail?.find(({ type }) => type === 'result')?.valueString;
  return text ? (JSON.parse(text) as Result) : undefined;
}
