/** The records that depend on an Encounter: on whether it has a copy, or on whether it is finished. */
import { documentSearches, encounterSearches } from '../../config/policy.ts';
import { add, NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Deps } from '../deps.ts';
import { keyOf } from './facts.ts';
import { hintsOf } from './hints.io.ts';
import { PAGE_SIZE, syncPage } from './page.io.ts';

/**
 * The records of Encounters whose copy has come or gone, and their documentation.
 *
 * @param deps - The run.
 * @param patientId - The patient.
 * @param encounterIds - Their Encounters, at most a page.
 * @param done - Records, `Type/id`, that were compared along with the Encounters: their copies refer to what there is now.
 * @returns What was done.
 * @throws Fault when either server cannot be reached.
 */
export async function syncChildren(
  deps: Deps,
  patientId: string,
  encounterIds: readonly string[],
  done: ReadonlySet<string> = new Set()
): Promise<Tally> {
  return syncFound(
    deps,
    patientId,
    new Set([...encounterSearches(encounterIds), ...documentSearches(encounterIds, deps.config.heldDocuments)]),
    done
  );
}

/**
 * The documentation of Encounters that may have become finished, or no longer are.
 *
 * @param deps - The run.
 * @param patientId - The patient.
 * @param encounterIds - Their Encounters, at most a page.
 * @param done - Records, `Type/id`, that were looked at already.
 * @returns What was done; nothing is asked for where no documentation waits.
 * @throws Fault when either server cannot be reached.
 */
export async function syncDocuments(
  deps: Deps,
  patientId: string,
  encounterIds: readonly string[],
  done: ReadonlySet<string> = new Set()
): Promise<Tally> {
  return syncFound(deps, patientId, new Set(documentSearches(encounterIds, deps.config.heldDocuments)), done);
}

async function syncFound(
  deps: Deps,
  patientId: string,
  searches: ReadonlySet<string>,
  done: ReadonlySet<string>
): Promise<Tally> {
  const hints = searches.size > 0 ? await hintsOf(deps.source, [...searches], patientId) : [];
  const left = hints.filter((hint) => !done.has(keyOf(hint)));
  let total = NOTHING;
  for (let from = 0; from < left.length; from += PAGE_SIZE) {
    total = add(total, await syncPage(deps, patientId, left.slice(from, from + PAGE_SIZE)));
  }
  return total;
}
