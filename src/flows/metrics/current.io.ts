/** Figures that are young enough: those of the last reading, or new ones. */
import type { Basic } from '@medplum/fhirtypes';
import { read } from './read.io.ts';
import type { MetricsDeps } from './read.io.ts';
import { stateBasic, stateOf, stateSearch } from './state.ts';
import type { MetricsState } from './state.ts';

/** A reading, and the Medplum project as far as known. */
export interface Current {
  readonly state: MetricsState;
  readonly org: string | undefined;
}

/**
 * @param deps - The run.
 * @returns The last reading while it is young enough, or a new one, which is kept.
 * @throws Fault `source-*` when the source does not answer.
 */
export async function current(deps: MetricsDeps): Promise<Current> {
  const { config, source, clock } = deps;
  const page = await source.search(stateSearch(config.systems));
  const saved = page.entry?.[0]?.resource as Basic | undefined;
  // Resources tell the project that they are of.
  const org = saved?.meta?.project;
  const before = stateOf(config.systems, saved);
  if (saved && clock.now() - before.takenAt < config.metricsMaxAgeMs) {
    return { state: before, org };
  }
  const state = await read(deps, before);
  const basic = stateBasic(config.systems, state);
  // Whoever loses a race has counted from the same state as the winner: the answer is right, and the next reading goes on from the winner's.
  await (saved?.id ? source.replace({ ...basic, id: saved.id }, `${saved.meta?.versionId}`) : source.ensure(basic));
  return { state, org };
}
