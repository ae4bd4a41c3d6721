/** What is kept between readings: one Basic in the source, replaced under `If-Match`, so that nothing of the trail is counted twice or lost. Pure. */
import type { Basic } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { Figures } from './figures.ts';
import { NO_TREND } from './trend.ts';
import type { Trend } from './trend.ts';

/** How far a feed has been counted. */
export interface Mark {
  /** `lastUpdated` of the newest row that was counted; undefined before the first. */
  readonly watermark?: string | undefined;
  /** Rows that were counted and may be met again: those within the overlap before the watermark, and when they came. */
  readonly seen: Readonly<Record<string, string>>;
}

export interface MetricsState {
  /** How far each feed has been counted. */
  readonly marks: Readonly<Record<string, Mark>>;
  /** Bot/id → name, as the trail has told. */
  readonly bots: Readonly<Record<string, string>>;
  /** Counters and histograms. */
  readonly figures: Figures;
  /** Gauges of the last reading. */
  readonly gauges: Figures;
  /** What happened when. It begins with the first version of the bots that kept it. */
  readonly trend: Trend;
  /** When the last reading was, in milliseconds since the epoch. */
  readonly takenAt: number;
}

/** A state as it is saved. */
export interface SavedState {
  readonly id: string;
  readonly versionId: string;
  readonly state: MetricsState;
}

const NAME = 'metrics';
/** Of a UUID: that two rows of two minutes share these is a matter of 10^-8. */
const ID_LENGTH = 13;

export const NEW_STATE: MetricsState = { marks: {}, bots: {}, figures: {}, gauges: {}, trend: NO_TREND, takenAt: 0 };

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for the state.
 */
export function stateSearch(systems: Systems): string {
  return `Basic?identifier=${encodeURIComponent(`${systems.control}|${NAME}`)}&_count=1`;
}

/**
 * @param systems - Our systems.
 * @param state - What is to be kept.
 * @returns The Basic, without an id. Figures are JSON in one string: FHIR has no type for them, and nobody searches for them.
 */
export function stateBasic(systems: Systems, state: MetricsState): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: NAME }],
    code: { coding: [{ system: systems.control, code: NAME }] },
    extension: [{ url: `${systems.namespace}/metrics`, valueString: JSON.stringify(state) }],
  };
}

/**
 * @param systems - Our systems.
 * @param basic - The saved one.
 * @returns What it says; a new state when it says nothing.
 */
export function stateOf(systems: Systems, basic: Basic | undefined): MetricsState {
  const text = basic?.extension?.find(({ url }) => url === `${systems.namespace}/metrics`)?.valueString;
  return text === undefined ? NEW_STATE : { ...NEW_STATE, ...(JSON.parse(text) as MetricsState) };
}

/**
 * @param id - Of a resource.
 * @returns What is remembered of it.
 */
export function shortId(id: string | undefined): string {
  return (id ?? '').replaceAll('-', '').slice(0, ID_LENGTH);
}

/**
 * Forgets rows that no later reading can meet.
 *
 * @param seen - Rows and when they came.
 * @param watermark - The newest.
 * @param overlapMs - How far the next reading looks back.
 * @returns The rest.
 */
export function within(seen: Mark['seen'], watermark: string | undefined, overlapMs: number): Mark['seen'] {
  const from = Date.parse(watermark ?? '') - overlapMs;
  return Object.fromEntries(Object.entries(seen).filter(([, at]) => !(Date.parse(at) < from)));
}
