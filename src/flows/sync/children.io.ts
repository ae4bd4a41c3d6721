/** The records that depend on an Encounter: on whether it has a copy, or on whether it is finished. */
import type { Bundle } from '@medplum/fhirtypes';
import { documentSearches, encounterSearches } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { sourceFault } from '../../observability/fault.ts';
import { add, NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Deps } from '../deps.ts';
import { hintOf, keyOf } from './facts.ts';
import type { Hint } from './facts.ts';
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
  const urls = [...searches].map((search) => `${search}&_sort=_lastUpdated&_count=${PAGE_SIZE}`);
  const answers = urls.length > 0 ? await deps.source.read(urls) : [];
  const hints: Hint[] = [];
  for (const { status, resource } of answers) {
    if (resource?.resourceType !== 'Bundle') {
      throw sourceFault(status);
    }
    let page: Bundle | undefined = resource;
    while (page) {
      const found = (page.entry ?? []).flatMap((entry) => (entry.resource ? hintOf(entry.resource as Replicated) : []));
      hints.push(...found.filter((one) => one.patientId === patientId).map(({ hint }) => hint));
      const next: string | undefined = page.link?.find(({ relation }) => relation === 'next')?.url;
      page = next ? await deps.source.search(next) : undefined;
    }
  }
  const left = hints.filter((hint) => !done.has(keyOf(hint)));
  let total = NOTHING;
  for (let from = 0; from < left.length; from += PAGE_SIZE) {
    total = add(total, await syncPage(deps, patientId, left.slice(from, from + PAGE_SIZE)));
  }
  return total;
}
