import { badRequest, formatSearchQuery, OperationOutcomeError, serverError } from '@medplum/core';
import type { SearchRequest } from '@medplum/core';
import type { BundleLink } from '@medplum/fhirtypes';

/** platform.md §5.5: larger offsets are refused, although the server itself issues the link. */
const MAX_OFFSET = 10_000;
const MAX_COUNT = 1_000;
const DEFAULT_COUNT = 20;
const MIN_CURSOR_COUNT = 20;

/** Where a page begins. */
export interface Cursor {
  readonly since: string;
  readonly excluded: ReadonlySet<string>;
}

/** What paging needs to know of a found resource. */
export interface Found {
  readonly id: string;
  readonly lastUpdated: string;
}

export type PagedRequest = SearchRequest & { count: number; offset: number };

/**
 * Applies the limits of a page.
 * @throws OperationOutcomeError 400 for an offset over 10,000, or an offset together with a cursor.
 */
export function limitPage(request: SearchRequest): PagedRequest {
  const count = Math.min(request.count ?? DEFAULT_COUNT, MAX_COUNT);
  const offset = request.offset ?? 0;
  if (offset > MAX_OFFSET) {
    throw new OperationOutcomeError(badRequest(`Search offset exceeds maximum (got ${offset}, max ${MAX_OFFSET})`));
  }
  if (offset > 0 && request.cursor) {
    throw new OperationOutcomeError(badRequest('Cannot use both offset and cursor'));
  }
  return { ...request, count, offset };
}

/** Reads `2-<ms>[-id,id…]`. A malformed cursor is ignored: the search starts over (platform.md §5.7). */
export function parseCursor(text: string | undefined): Cursor | undefined {
  const match = /^2-(\d+)(?:-(.+))?$/.exec(text ?? '');
  if (!match) {
    return undefined;
  }
  return { since: new Date(Number(match[1])).toISOString(), excluded: new Set(match[2]?.split(',')) };
}

/**
 * The links of a result.
 * @param next - The first resource of the next page, if there is one.
 * @throws OperationOutcomeError 500 when a whole page and the next resource share one millisecond (platform.md §5.7).
 */
export function searchLinks(
  request: PagedRequest,
  page: readonly Found[],
  next: Found | undefined,
  baseUrl: string
): BundleLink[] {
  const url = (part: Partial<SearchRequest>): string =>
    `${baseUrl}fhir/R4/${request.resourceType}${formatSearchQuery({ ...request, ...part })}`;
  const links: BundleLink[] = [{ relation: 'self', url: url({}) }];
  const first = page[0];
  if (request.count === 0 || !first) {
    return links;
  }

  if (canUseCursor(request)) {
    if (first.lastUpdated === next?.lastUpdated) {
      throw new OperationOutcomeError(serverError(new Error('Cursor fails to make progress')));
    }
    links.push({ relation: 'first', url: withoutPlace(url, {}) });
    if (next) {
      links.push({ relation: 'next', url: withoutPlace(url, { cursor: formatCursor(page, next) }) });
    }
    return links;
  }

  links.push({ relation: 'first', url: url({ offset: 0 }) });
  if (next) {
    links.push({ relation: 'next', url: url({ offset: request.offset + request.count }) });
  }
  if (request.offset > 0) {
    links.push({ relation: 'previous', url: url({ offset: request.offset - request.count }) });
  }
  return links;
}

/** platform.md §5.5. A search over several types has no cursor (§5.7). */
function canUseCursor(request: PagedRequest): boolean {
  const [rule, ...others] = request.sortRules ?? [];
  return (
    request.offset === 0 &&
    request.count >= MIN_CURSOR_COUNT &&
    !request.types &&
    others.length === 0 &&
    rule?.code === '_lastUpdated' &&
    !rule.descending
  );
}

/** The ids of this page that share the millisecond of the next resource would be found again, so the cursor excludes them. */
function formatCursor(page: readonly Found[], next: Found): string {
  const excluded = page.filter((found) => found.lastUpdated === next.lastUpdated).map((found) => found.id);
  const place = `2-${Date.parse(next.lastUpdated)}`;
  return excluded.length > 0 ? `${place}-${excluded.join(',')}` : place;
}

function withoutPlace(url: (part: Partial<SearchRequest>) => string, part: Partial<SearchRequest>): string {
  // With exactOptionalPropertyTypes, "absent" is said with a cast: formatSearchQuery skips what is undefined.
  return url({ cursor: undefined, offset: undefined, ...part } as Partial<SearchRequest>);
}
