/** A research export as it is kept: a Basic in the source with how far it is, and sealed Binaries with whom and what. Pure. */
import type { Basic, Resource } from '@medplum/fhirtypes';
import type { ReplicatedType } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import type { Cohort } from './input.ts';

export const CODE = 'research-export';

/** Somebody of the cohort. */
export interface Member {
  /** The Patient on the replica. */
  readonly id: string;
  readonly token: string;
  /** What the patient is counted in; absent until the Consents were asked. */
  readonly cell?: string;
}

/** A file, or a part of one. */
export interface Part {
  readonly type: ReplicatedType;
  /** `Binary/id`. */
  readonly binary: string;
  readonly count: number;
}

/** What has come of the cohort. Not told as they are: small counts tell of somebody. */
export interface Counts {
  readonly found: number;
  readonly consenting: number;
  readonly released: number;
  readonly withheld: number;
  readonly smallest: number;
}

export interface Study {
  readonly id: string;
  /** Who asked, and in which role; both are looked at again with each run. */
  readonly requester: string;
  readonly role: string;
  readonly cohort: Cohort;
  readonly types: readonly ReplicatedType[];
  readonly k: number;
  /** 64 hexadecimal digits: what the Binaries are sealed under, and what the names in the files are made of. */
  readonly secret: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly phase: 'cohort' | 'judge' | 'fetch' | 'check' | 'done' | 'failed' | 'cancelled' | 'expired';
  /** The next page of the cohort. */
  readonly cursor?: string | undefined;
  /** The sealed list of members: all that were found, and those who are shown. */
  readonly found?: string | undefined;
  readonly shown?: string | undefined;
  /** How many members of the list of the phase are done. */
  readonly at: number;
  readonly parts: readonly Part[];
  readonly counts: Counts;
  /** How often it began again, because a Consent or a copy had changed meanwhile. */
  readonly restarts: number;
  readonly completedAt?: number;
  /** Why it failed, a code. */
  readonly reason?: string;
}

/** As it was read. */
export interface SavedStudy {
  readonly id: string;
  readonly versionId: string;
  readonly leasedUntil: number;
  readonly study: Study;
}

export const NO_COUNTS: Counts = { found: 0, consenting: 0, released: 0, withheld: 0, smallest: 0 };

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for all of them.
 */
export function studiesSearch(systems: Systems): string {
  return `Basic?code=${encodeURIComponent(`${systems.control}|${CODE}`)}&_sort=-_lastUpdated&_count=100`;
}

/**
 * @param systems - Our systems.
 * @param study - How far it is.
 * @param leasedUntil - Until when a run of the bot works on it, in milliseconds since the epoch.
 * @returns The Basic to save.
 */
export function studyBasic(systems: Systems, study: Study, leasedUntil: number): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: `research ${study.id}` }],
    code: { coding: [{ system: systems.control, code: CODE }] },
    extension: [
      { url: `${systems.namespace}/study`, valueString: JSON.stringify(study) },
      { url: `${systems.namespace}/leased-until`, valueInstant: new Date(leasedUntil).toISOString() },
    ],
  };
}

/**
 * @param systems - Our systems.
 * @param found - What a search found.
 * @returns The exports among them.
 */
export function studiesIn(systems: Systems, found: readonly Resource[]): SavedStudy[] {
  return found.flatMap((basic) => {
    const parts = basic.resourceType === 'Basic' ? (basic.extension ?? []) : [];
    const text = parts.find(({ url }) => url === `${systems.namespace}/study`)?.valueString;
    const until = parts.find(({ url }) => url === `${systems.namespace}/leased-until`)?.valueInstant;
    return text === undefined
      ? []
      : [
          {
            id: basic.id ?? '',
            versionId: basic.meta?.versionId ?? '',
            leasedUntil: Date.parse(until ?? '') || 0,
            study: JSON.parse(text) as Study,
          },
        ];
  });
}

/** @param study - An export. @returns Whether there is still something to do. */
export function isOpen({ phase }: Study): boolean {
  return phase === 'cohort' || phase === 'judge' || phase === 'fetch' || phase === 'check';
}
