/**
 * How far the mirror has come: one Basic in the source, which is also its fence. Each transaction that stores mirrored events
 * replaces this Basic under `If-Match`, so events and watermark are stored together or not at all. Pure.
 */
import type { Basic, Extension } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';

/** One run that is over. */
export interface PastRun {
  readonly timestamp: string;
  readonly mirrored: number;
  readonly skipped: number;
  readonly errors: number;
}

/** What is remembered between runs. */
export interface MirrorState {
  /** `meta.lastUpdated` of the newest replica event up to which all are stored. */
  readonly watermark?: string | undefined;
  readonly totalMirrored: number;
  /** Newest first. */
  readonly recentRuns: readonly PastRun[];
  /** Which run is at work, by its correlation id, and until when it may be believed to be. */
  readonly lease?: { readonly holder: string; readonly until: string } | undefined;
}

const NAME = 'audit-mirror';
const MAX_RUNS = 10;

export const NEW_STATE: MirrorState = { totalMirrored: 0, recentRuns: [] };

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for the state.
 */
export function stateSearch(systems: Systems): string {
  return `Basic?identifier=${encodeURIComponent(`${systems.control}|${NAME}`)}&_count=1`;
}

/**
 * @param systems - Our systems.
 * @param state - What is to be remembered.
 * @returns The Basic, without an id.
 */
export function stateBasic(systems: Systems, state: MirrorState): Basic {
  const of = (name: string, value: Omit<Extension, 'url'>): Extension => ({
    url: `${systems.namespace}/audit-mirror-${name}`,
    ...value,
  });
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: NAME }],
    code: { coding: [{ system: systems.control, code: 'audit-mirror' }] },
    extension: [
      of('total', { valueDecimal: state.totalMirrored }),
      ...(state.watermark ? [of('watermark', { valueInstant: state.watermark })] : []),
      ...(state.lease
        ? [
            of('lease', {
              extension: [
                { url: 'holder', valueString: state.lease.holder },
                { url: 'until', valueInstant: state.lease.until },
              ],
            }),
          ]
        : []),
      ...state.recentRuns.map((run) =>
        of('run', {
          extension: [
            { url: 'timestamp', valueInstant: run.timestamp },
            { url: 'mirrored', valueInteger: run.mirrored },
            { url: 'skipped', valueInteger: run.skipped },
            { url: 'errors', valueInteger: run.errors },
          ],
        })
      ),
    ],
  };
}

/**
 * @param systems - Our systems.
 * @param basic - The saved state, if there is one.
 * @returns What it says.
 */
export function stateOf(systems: Systems, basic: Basic | undefined): MirrorState {
  const all = (name: string): Extension[] =>
    (basic?.extension ?? []).filter(({ url }) => url === `${systems.namespace}/audit-mirror-${name}`);
  const part = ({ extension }: Extension, name: string): Extension | undefined =>
    extension?.find(({ url }) => url === name);
  const lease = all('lease')[0];
  const holder = lease && part(lease, 'holder')?.valueString;
  const until = lease && part(lease, 'until')?.valueInstant;
  return {
    totalMirrored: all('total')[0]?.valueDecimal ?? 0,
    watermark: all('watermark')[0]?.valueInstant,
    lease: holder && until ? { holder, until } : undefined,
    recentRuns: all('run').map((run) => ({
      timestamp: part(run, 'timestamp')?.valueInstant ?? '',
      mirrored: part(run, 'mirrored')?.valueInteger ?? 0,
      skipped: part(run, 'skipped')?.valueInteger ?? 0,
      errors: part(run, 'errors')?.valueInteger ?? 0,
    })),
  };
}

/**
 * @param state - Before.
 * @param run - The run that is over.
 * @returns The state with that run in it and without a lease.
 */
export function withRun(state: MirrorState, run: PastRun): MirrorState {
  return { ...state, lease: undefined, recentRuns: [run, ...state.recentRuns].slice(0, MAX_RUNS) };
}
