/** Reads several things in one batch, all pages of every search. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { sourceFault } from '../observability/fault.ts';
import type { Fetched, SourceFhir } from '../ports.ts';

/**
 * @param source - The source.
 * @param urls - FHIR-relative reads and searches.
 * @returns One list per URL, in order: all that a search finds; a read is a list of one, or of none when there is nothing.
 * @throws Fault `source-*` when anything cannot be read: unread is never absent.
 */
export async function readAll(source: SourceFhir, urls: readonly string[]): Promise<Resource[][]> {
  const answers = urls.length > 0 ? await source.read(urls) : [];
  const lists: Resource[][] = [];
  for (const answer of answers) {
    lists.push(await pagesOf(source, answer));
  }
  return lists;
}

async function pagesOf(source: SourceFhir, { status, resource }: Fetched): Promise<Resource[]> {
  if (!resource) {
    if (status === 404 || status === 410) {
      return [];
    }
    throw sourceFault(status);
  }
  if (resource.resourceType !== 'Bundle') {
    return [resource];
  }
  const found: Resource[] = [];
  for (let page: Bundle | undefined = resource; page;) {
    found.push(...(page.entry ?? []).flatMap((entry) => entry.resource ?? []));
    const next: string | undefined = page.link?.find(({ relation }) => relation === 'next')?.url;
    page = next ? await source.search(next) : undefined;
  }
  return found;
}
