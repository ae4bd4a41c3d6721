/** Reads several things in one batch, all pages of every search. */
import type { Resource } from '@medplum/fhirtypes';
import { sourceFault } from '../observability/fault.ts';
import type { Fetched, SourceFhir } from '../ports.ts';

/**
 * @param source - The source.
 * @param urls - FHIR-relative reads and searches.
 * @returns One list per URL, in order: all that a search finds; a read is a list of one, or of none when there is nothing.
 * @throws Fault `source-*` when anything cannot be read: unread is never absent.
 */
export async function readAll(source: SourceFhir, urls: readonly string[]): Promise<Resource[][]> {
  const lists = urls.map((): Resource[] => []);
  let open = urls.map((url, at) => ({ url, at }));
  while (open.length > 0) {
    const answers = await source.read(open.map(({ url }) => url));
    open = open.flatMap(({ url, at }, index) => {
      const { found, next } = pageOf(url, answers[index]);
      for (const resource of found) {
        lists[at]?.push(resource);
      }
      return next === undefined ? [] : [{ url: next, at }];
    });
  }
  return lists;
}

function pageOf(url: string, answer: Fetched | undefined): { found: readonly Resource[]; next?: string | undefined } {
  const { status = 0, resource } = answer ?? {};
  if (resource?.resourceType === 'Bundle') {
    const found = (resource.entry ?? []).flatMap((entry) => entry.resource ?? []);
    return { found, next: resource.link?.find(({ relation }) => relation === 'next')?.url };
  }
  if (url.includes('?') || !(resource ?? (status === 404 || status === 410))) {
    throw sourceFault(status);
  }
  return { found: resource ? [resource] : [] };
}
