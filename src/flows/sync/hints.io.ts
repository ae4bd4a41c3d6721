/** Which records there are: searches of the source by what they are filed under. */
import { isReplicated } from '../../config/policy.ts';
import type { SourceFhir } from '../../ports.ts';
import { readAll } from '../read-all.io.ts';
import { hintOf } from './facts.ts';
import type { Hint } from './facts.ts';

/**
 * A page as large as the server gives: a search costs 20 units whatever it finds, and a page that is smaller than what was written in one
 * millisecond is a 500 of Medplum's cursors (`platform.md` §5.7).
 */
const COUNT = 1000;

/**
 * Reads all pages of some searches, the first ones in one batch.
 *
 * @param source - The source.
 * @param searches - FHIR-relative searches for records, without paging parameters.
 * @param patientId - Only records of this patient; of anybody without it.
 * @returns Hints in the order of the searches, within each by age.
 * @throws Fault `source-*` when any page cannot be read: a record that was not read is never an absent one.
 */
export async function hintsOf(source: SourceFhir, searches: readonly string[], patientId?: string): Promise<Hint[]> {
  const found = await readAll(
    source,
    searches.map((search) => `${search}&_sort=_lastUpdated&_count=${COUNT}`)
  );
  return found
    .flat()
    .filter(isReplicated)
    .map(hintOf)
    .flatMap((one) => (patientId === undefined || one.patientId === patientId ? one.hint : []));
}
