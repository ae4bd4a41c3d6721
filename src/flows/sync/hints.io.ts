/** Which records there are: searches of the source by what they are filed under. */
import type { Bundle } from '@medplum/fhirtypes';
import type { Replicated } from '../../config/policy.ts';
import { sourceFault } from '../../observability/fault.ts';
import type { SourceFhir } from '../../ports.ts';
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
  const answers = await source.read(searches.map((search) => `${search}&_sort=_lastUpdated&_count=${COUNT}`));
  const hints: Hint[] = [];
  for (const { status, resource } of answers) {
    if (resource?.resourceType !== 'Bundle') {
      throw sourceFault(status);
    }
    for (let page: Bundle | undefined = resource; page;) {
      const found = (page.entry ?? []).flatMap((entry) => (entry.resource ? hintOf(entry.resource as Replicated) : []));
      const own = found.filter((one) => patientId === undefined || one.patientId === patientId);
      hints.push(...own.map(({ hint }) => hint));
      const next: string | undefined = page.link?.find(({ relation }) => relation === 'next')?.url;
      page = next ? await source.search(next) : undefined;
    }
  }
  return hints;
}
