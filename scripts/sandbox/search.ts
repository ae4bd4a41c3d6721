import {
  badRequest,
  forbidden,
  getDataType,
  isChainedSearchFilter,
  OperationOutcomeError,
  subsetResource,
  validateResourceType,
} from '@medplum/core';
import type { Filter, SearchRequest, WithId } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { maySome, permission } from './access.ts';
import type { Access } from './access.ts';
import { compileChain } from './chain.ts';
import { compileFilter } from './criteria.ts';
import type { Criterion } from './criteria.ts';
import { limitPage, parseCursor, searchLinks } from './paging.ts';
import type { PagedRequest } from './paging.ts';
import { rowOrder } from './sorting.ts';
import type { Store } from './store.ts';
import type { Row, Table } from './table.ts';

/** A page of rows as a search found them. */
export interface SearchResult {
  readonly request: PagedRequest;
  readonly rows: readonly Row[];
  readonly next: Row | undefined;
  /** Only when `_total` or `_summary=count` asked for it (platform.md §5.8). */
  readonly total: number | undefined;
}

/**
 * Runs a search over what is stored now.
 * @throws OperationOutcomeError 400 for a parameter, offset or type that does not exist; 403 for a type that the policy does not list.
 */
export function runSearch(store: Store, search: SearchRequest, access: Access): SearchResult {
  const request = limitPage(search);
  const types = request.types ?? [request.resourceType];
  for (const type of types) {
    checkType(type, access);
  }
  const cursor = parseCursor(request.cursor);
  const wanted = request.count === 0 ? 0 : request.offset + request.count + 1;
  const countAll = request.total === 'accurate' || request.total === 'estimate';

  const matches: Row[] = [];
  let total = 0;
  const rules = request.sortRules ?? [];
  const [rule, ...minor] = rules;
  const backwards = rule?.descending === true;
  // Ties of `lastUpdated` can be put in order afterwards, once all rows of the last instant are there.
  const byId = minor.length === 1 && minor[0]?.code === '_id' && !minor[0].descending && !backwards;
  const inLogOrder = types.length === 1 && (minor.length === 0 || byId) && (!rule || rule.code === '_lastUpdated');
  for (const type of types) {
    const plan = planSearch(store, type, request.filters ?? [], access);
    for (const row of plan.rows(cursor?.since, inLogOrder && backwards)) {
      const found =
        plan.matches(row) && !cursor?.excluded.has(row.id) && row.current.lastUpdated >= (cursor?.since ?? '');
      if (!found) {
        continue;
      }
      total++;
      const isTie = byId && row.current.lastUpdated === matches.at(-1)?.current.lastUpdated;
      if (!inLogOrder || matches.length < wanted || isTie) {
        matches.push(row);
      } else if (!countAll) {
        break;
      }
    }
  }
  if (!inLogOrder || byId) {
    matches.sort(rowOrder(types[0] ?? '', rules));
  }
  const rows = request.count === 0 ? [] : matches.slice(request.offset, request.offset + request.count);
  return {
    request,
    rows,
    next: request.count === 0 ? undefined : matches[request.offset + request.count],
    total: countAll ? total : undefined,
  };
}

/** The links of a result's page. */
export function linksOf(result: SearchResult, baseUrl: string): ReturnType<typeof searchLinks> {
  const found = (row: Row): { id: string; lastUpdated: string } => ({
    id: row.id,
    lastUpdated: row.current.lastUpdated,
  });
  return searchLinks(result.request, result.rows.map(found), result.next && found(result.next), baseUrl);
}

/** Reduces a found resource to `_fields`, `_elements` or `_summary`: mandatory fields and meta always stay (platform.md §5.6). */
export function subset<T extends Resource>(resource: T, request: SearchRequest): T {
  const schema = getDataType(resource.resourceType);
  const mandatory = [...(schema.mandatoryProperties ?? [])];
  const keep = (): string[] | undefined => {
    if (request.fields) {
      return [...mandatory, ...request.fields];
    }
    switch (request.summary) {
      case 'data':
        return Object.keys(resource).filter((key) => key !== 'text');
      case 'text':
        return ['text', ...mandatory];
      case 'true':
        return [...(schema.summaryProperties ?? [])];
      default:
        return undefined;
    }
  };
  const properties = keep();
  return properties ? (subsetResource({ ...resource }, properties) as T) : resource;
}

function checkType(type: string, access: Access): void {
  validateResourceType(type);
  if (type === 'Binary') {
    throw new OperationOutcomeError(badRequest('Cannot search on Binary resource type'));
  }
  if (!maySome(access, 'search', type)) {
    throw new OperationOutcomeError(forbidden);
  }
}

interface Plan {
  /** The rows that may match, in the order of their last change or against it, without those changed before `since`. */
  rows(since: string | undefined, backwards: boolean): Iterable<Row>;
  matches(row: Row): boolean;
}

function planSearch(store: Store, type: string, filters: readonly Filter[], access: Access): Plan {
  const table = store.table(type);
  const deleted = filters.some((filter) => filter.code === '_deleted' && filter.value === 'true');
  const find = (chained: SearchRequest): Resource[] => findAll(store, chained, access);
  const criteria = filters
    .filter((filter) => filter.code !== '_deleted')
    .map((filter) => (isChainedSearchFilter(filter) ? compileChain(type, filter, find) : compileFilter(type, filter)));
  const candidates = deleted ? undefined : narrowest(table, criteria);

  return {
    rows(since, backwards) {
      const from = criteria.reduce((latest, { since: own = '' }) => (own > latest ? own : latest), since ?? '');
      return candidates ? inOrder(candidates, backwards) : walk(table, from, backwards);
    },
    matches(row) {
      const { resource } = row.current;
      if (!resource || deleted) {
        // A tombstone has no content to check, so only time and id narrow the deletion feed (platform.md §5.8).
        return !resource && deleted && criteria.every((criterion) => criterion.matches(row, {} as Resource));
      }
      return (
        criteria.every((criterion) => criterion.matches(row, resource)) &&
        (!access.policy || permission(access, 'search', resource) !== undefined)
      );
    },
  };
}

function findAll(store: Store, request: SearchRequest, access: Access): WithId<Resource>[] {
  const plan = planSearch(store, request.resourceType, request.filters ?? [], access);
  return [...plan.rows(undefined, false)].flatMap((row) =>
    plan.matches(row) && row.current.resource ? [row.current.resource] : []
  );
}

/** The smallest set of rows that some criterion allows, or undefined if none has an index. */
function narrowest(table: Table, criteria: readonly Criterion[]): ReadonlySet<Row> | undefined {
  let best: ReadonlySet<Row> | undefined;
  for (const criterion of criteria) {
    const rows = indexedRows(table, criterion);
    if (rows && (!best || rows.size < best.size)) {
      best = rows;
    }
  }
  return best;
}

function indexedRows(table: Table, { ids, terms }: Criterion): ReadonlySet<Row> | undefined {
  if (ids) {
    return new Set(ids.map((id) => table.rows.get(id)).filter((row) => row !== undefined));
  }
  const [first, ...others] = terms ?? [];
  if (first === undefined) {
    return undefined;
  }
  if (others.length === 0) {
    return table.withTerm(first) ?? new Set();
  }
  const union = new Set(table.withTerm(first));
  for (const term of others) {
    for (const row of table.withTerm(term) ?? []) {
      union.add(row);
    }
  }
  return union;
}

function inOrder(rows: ReadonlySet<Row>, backwards: boolean): Row[] {
  const sign = backwards ? -1 : 1;
  return [...rows].sort((a, b) => (a.position - b.position) * sign);
}

function* walk(table: Table, since: string, backwards: boolean): Generator<Row> {
  const first = since ? table.positionOf(since) : 0;
  const last = table.log.length - 1;
  for (let i = first; i <= last; i++) {
    const row = table.log[backwards ? first + last - i : i];
    if (row) {
      yield row;
    }
  }
}
