/** How far a pull is: one Basic in the source, whatever run of the bot works on it. Pure. */
import type { Basic } from '@medplum/fhirtypes';
import type { Systems } from '../../../fhir/systems.ts';

/** What is asked for. */
export interface PullScope {
  /** `Patient`, `Group/<id>` or `system`. */
  readonly exports: string;
  readonly types: readonly string[];
  /** Only what has changed since this instant; undefined for everything. */
  readonly since?: string | undefined;
}

/** A line that was not taken, by where it stood: names of the partner's may say anything. */
export interface RefusedLine {
  readonly type: string;
  /** Of the file, from 1. */
  readonly line: number;
  readonly code: string;
  readonly expression?: string;
}

/** What a pull that ended well hands on to the next. */
export interface LastPull extends PullScope {
  /** The partner's instant of the export. */
  readonly transactionTime: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** Counts by names of ours. */
export type Counts = Readonly<Record<string, number>>;

/** How far it is. */
export interface PullState {
  readonly runId: string;
  /** Milliseconds since the epoch, like all instants here that are numbers. */
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly scope: PullScope;
  /** `start`: to be kicked off. `wait`: the partner prepares it. `files`: it is being read. */
  readonly phase: 'start' | 'wait' | 'files' | 'done' | 'failed' | 'cancelled';
  /** Nothing is asked of the partner before. */
  readonly nextAt: number;
  /** Of what was tried last, one after the other. */
  readonly failures: number;
  /** How often the export was begun anew, since its links had expired. */
  readonly restarts: number;
  /** How often links were renewed since a line was last read. */
  readonly renewals: number;
  /** What the partner says of its progress. */
  readonly percent?: number;
  readonly transactionTime?: string;
  /** `Binary/id` of the files, sealed. */
  readonly manifest?: string;
  /** Where the export's status is, sealed. */
  readonly status?: string;
  /** How many files there are, and which is read. */
  readonly files: number;
  readonly file: number;
  /** What of it is done, in bytes and lines. */
  readonly offset: number;
  readonly line: number;
  readonly etag?: string;
  /** Whether a line is being passed over that is too long. */
  readonly isSkipping: boolean;
  readonly bytes: number;
  /** By type: `lines`, `created`, `updated`, `unchanged`, `outdated`, `known`, `refused`, and `refused-<code>`. */
  readonly counts: Readonly<Record<string, Counts>>;
  /** The first of them. */
  readonly refused: readonly RefusedLine[];
  /** Of what the partner has deleted: `marked`, `absent`, `kept`. */
  readonly deleted: Counts;
  /** Issues in the partner's error files, by severity and code. */
  readonly errors: Counts;
  /** Files that had other than the number of lines that the manifest says, by type. */
  readonly short: Counts;
  /** Why it failed: a code of ours, and what may be said beside it. */
  readonly fault?: string;
  readonly detail?: string;
  /** Runs of the bot. */
  readonly runs: number;
  /** Of the last pull that ended well. */
  readonly last?: LastPull;
}

/** A pull as it is saved. */
export interface SavedPull {
  readonly id: string;
  readonly versionId: string;
  /** Until when another run of the bot works on it. */
  readonly leasedUntil: number;
  readonly state: PullState;
}

const NAME = 'partner-pull';

/**
 * @param state - A pull.
 * @returns Whether there is something left to do.
 */
export function isOpen({ phase }: PullState): boolean {
  return phase === 'start' || phase === 'wait' || phase === 'files';
}

/** What a pull that is begun knows already. */
export interface Begin {
  readonly runId: string;
  readonly startedAt: number;
  readonly scope: PullScope;
  readonly last: LastPull | undefined;
}

/** An export of which nothing was read. */
export const UNREAD = {
  renewals: 0,
  files: 0,
  file: 0,
  offset: 0,
  line: 0,
  isSkipping: false,
  bytes: 0,
  counts: {},
  refused: [],
  deleted: {},
  errors: {},
  short: {},
} as const satisfies Partial<PullState>;

/**
 * @param begin - What is asked for.
 * @returns A pull of which nothing is done.
 */
export function begun({ last, ...begin }: Begin): PullState {
  return {
    ...begin,
    phase: 'start',
    nextAt: 0,
    failures: 0,
    restarts: 0,
    ...UNREAD,
    runs: 0,
    ...(last && { last }),
  };
}

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for the pull.
 */
export function pullSearch(systems: Systems): string {
  return `Basic?identifier=${encodeURIComponent(`${systems.control}|${NAME}`)}&_count=1`;
}

/**
 * @param systems - Our systems.
 * @param state - How far it is.
 * @param leasedUntil - Milliseconds since the epoch; 0 when nobody works on it.
 * @returns The Basic.
 */
export function pullBasic(systems: Systems, state: PullState, leasedUntil: number): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: NAME }],
    code: { coding: [{ system: systems.control, code: 'partner-pull' }] },
    extension: [{ url: urlOf(systems), valueString: JSON.stringify({ leasedUntil, state }) }],
  };
}

/**
 * @param systems - Our systems.
 * @param basic - What is saved, if anything.
 * @returns The pull; undefined before the first.
 */
export function pullIn(systems: Systems, basic: Basic | undefined): SavedPull | undefined {
  const text = basic?.extension?.find(({ url }) => url === urlOf(systems))?.valueString;
  if (!basic?.id || !basic.meta?.versionId || !text) {
    return undefined;
  }
  const { leasedUntil, state } = JSON.parse(text) as { leasedUntil: number; state: PullState };
  return { id: basic.id, versionId: basic.meta.versionId, leasedUntil, state };
}

function urlOf({ namespace }: Systems): string {
  return `${namespace}/partner-pull`;
}

/**
 * @param counts - Counts.
 * @param more - Names to count.
 * @returns The sum.
 */
export function counted(counts: Counts, more: readonly string[]): Counts {
  const sum: Record<string, number> = { ...counts };
  more.forEach((name) => (sum[name] = (sum[name] ?? 0) + 1));
  return sum;
}
