/** What plans of one patient are made by, besides facts. */
import type { PatientKeys } from '../../rules/deid/keys.ts';
import type { Deps } from '../deps.ts';
import { stubsOf } from '../keyring.ts';
import type { Rules } from './plan.ts';

/**
 * @param deps - The run.
 * @param keys - The patient's keys.
 * @returns Rules as of now, for one round of plans.
 */
export function rulesOf({ config, clock }: Deps, keys: PatientKeys): Rules {
  return { config, keys, stubs: stubsOf(config), at: new Date(clock.now()).toISOString(), memo: new Map() };
}
