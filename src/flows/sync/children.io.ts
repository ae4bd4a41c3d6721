/** The records that refer to an Encounter whose copy has come or gone. */
import { encounterSearches } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { add, NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Deps } from '../deps.ts';
import { hintOf } from './facts.ts';
import { PAGE_SIZE, syncPage } from './page.io.ts';

/**
 * @param deps - The run.
 * @param patientId - The patient.
 * @param encounterIds - Their Encounters, at most a page.
 * @returns What was done.
 * @throws Fault when either server cannot be reached.
 */
export async function syncChildren(deps: Deps, patientId: string, encounterIds: readonly string[]): Promise<Tally> {
  let total = NOTHING;
  for (const search of encounterSearches(encounterIds)) {
    let url: string | undefined = `${search}&_sort=_lastUpdated&_count=${PAGE_SIZE}`;
    while (url) {
      const page = await deps.source.search(url);
      const hints = (page.entry ?? []).flatMap(({ resource }) => (resource ? [hintOf(resource as Replicated)] : []));
      const own = hints.filter((one) => one.patientId === patientId).map(({ hint }) => hint);
      total = own.length > 0 ? add(total, await syncPage(deps, patientId, own)) : total;
      url = page.link?.find(({ relation }) => relation === 'next')?.url;
    }
  }
  return total;
}
