/** What the demo has to say in the end, as data: `report.json`. */
import type { Tally } from '../../src/observability/tally.ts';

/** Something that went wrong, told without a word of the data. */
export interface Problem {
  readonly kind: 'input' | 'consent' | 'settings' | 'replica' | 'sync' | 'report';
  /** Which input and which entry of it, counted from 1. File names are not repeated: Synthea's are people's names. */
  readonly input?: number;
  readonly index?: number;
  readonly type?: string;
  readonly message: string;
  /** How many records it is true of, when more than one. */
  readonly count?: number;
}

/** What became of the records of one type. The last four add up to `inSource`. */
export interface TypeCounts {
  readonly inSource: number;
  readonly replicated: number;
  readonly withheldByConsent: number;
  readonly withheldByPolicy: number;
  readonly failed: number;
}

/** What it took. */
export interface Requests {
  /** Requests of the bots to the source, by method and interaction. */
  readonly source: Readonly<Record<string, number>>;
  /** Requests to the replica, without those for tokens. */
  readonly replica: Readonly<Record<string, number>>;
  readonly token: number;
  /** To both servers, for each resource that this path has put into the replica; null when it put none there. */
  readonly perReplicatedResource: { readonly eventPath: number | null; readonly bulkPath: number | null };
  /** Of the sweep, for each record that it looked at. */
  readonly perSweptRecord: number | null;
  /** Interaction units, of which a Medplum membership has 50,000 a minute. */
  readonly units: { readonly source: number; readonly replica: number };
}

export interface InputCounts {
  readonly files: number;
  readonly entries: number;
  /** Entries that are the same resource as an earlier one. */
  readonly repeated: number;
  /** Consents of the input that `--consent none` leaves out. */
  readonly leftOut: number;
  /** Entries that did not come to the source; each is a problem. */
  readonly failed: number;
}

export interface Report {
  readonly input: InputCounts;
  readonly types: Readonly<Record<string, TypeCounts>>;
  /** Why records were withheld: reason code → how many. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly requests: Requests;
  /** Bot → how often it ran. A run that failed is no failure of the demo if the sweep has repaired it. */
  readonly runs: Readonly<Record<string, { readonly all: number; readonly failed: number }>>;
  /** The receipt of the sweep that followed the events. */
  readonly sweep: Tally | null;
  readonly durationMs: number;
  readonly problems: readonly Problem[];
}

/** No requests. */
export const NO_REQUESTS: Requests = {
  source: {},
  replica: {},
  token: 0,
  perReplicatedResource: { eventPath: null, bulkPath: null },
  perSweptRecord: null,
  units: { source: 0, replica: 0 },
};

/**
 * Counts that do not add up are a problem like any other.
 *
 * @param types - The counts.
 * @returns A problem for each type whose records are not all accounted for.
 */
export function imbalances(types: Report['types']): Problem[] {
  return Object.entries(types).flatMap(([type, counts]): Problem[] => {
    const sum = counts.replicated + counts.withheldByConsent + counts.withheldByPolicy + counts.failed;
    return sum === counts.inSource
      ? []
      : [
          {
            kind: 'report',
            type,
            message: `has ${counts.inSource} records in the source, but ${sum} are accounted for`,
          },
        ];
  });
}

/**
 * Says the same problem of many records once.
 *
 * @param problems - Problems.
 * @returns Each kind, type and message once, with its count and its first entry.
 */
export function grouped(problems: readonly Problem[]): Problem[] {
  const groups = Map.groupBy(problems, ({ kind, type, message }) => `${kind} ${type} ${message}`);
  return [...groups.values()].flatMap(([first, ...others]) =>
    first ? [others.length > 0 ? { ...first, count: others.length + 1 } : first] : []
  );
}
