/** Records and copies of many patients, of one type: one search on each side for as many patients as fill a page. */
import type { Bundle } from '@medplum/fhirtypes';
import { fieldsOf, patientSearch, recordsSearch } from '../../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../../config/policy.ts';
import { sourceFault } from '../../../observability/fault.ts';
import type { Copy, Inspected, SourceFhir } from '../../../ports.ts';
import type { Deps } from '../../deps.ts';
import type { Person } from './people.io.ts';

/** What both sides hold of some patients, of one type. */
export interface Slice {
  readonly type: ReplicatedType;
  readonly people: readonly Person[];
  readonly records: readonly Replicated[];
  readonly copies: readonly (Copy | Inspected)[];
}

/** How to read. */
export interface Reading {
  /** Records in one page. */
  readonly batchSize: number;
  /** Whether contents of copies are read as well. */
  readonly isDeep: boolean;
  /** Records per patient as seen so far, by type: how many patients fill a page. */
  readonly rates: Map<string, number>;
}

/** Of a page so much is aimed at, so that few slices have to be halved. */
const FILL = 0.7;
const FIRST_RATE = 8;

/**
 * Reads one type of all patients of a page. The next slice is on its way while the caller works on one.
 *
 * @param deps - The run.
 * @param type - Any type but Patient.
 * @param people - The patients.
 * @param reading - How to read.
 * @yields Slices; all records of a patient may take several.
 * @throws Fault when either server cannot be read.
 */
export async function* slicesOf(
  deps: Deps,
  type: ReplicatedType,
  people: readonly Person[],
  reading: Reading
): AsyncGenerator<Slice> {
  const slices = inOrder(deps, type, people, reading);
  let next = slices.next();
  for (;;) {
    const { value, done } = await next;
    if (done) {
      return;
    }
    next = slices.next();
    // If the caller gives up, nobody waits for this one.
    next.catch(() => undefined);
    yield value;
  }
}

async function* inOrder(
  deps: Deps,
  type: ReplicatedType,
  people: readonly Person[],
  reading: Reading
): AsyncGenerator<Slice, undefined> {
  let from = 0;
  let most = people.length;
  while (from < people.length) {
    const rate = reading.rates.get(type) ?? FIRST_RATE;
    const fitting = Math.max(1, Math.floor((reading.batchSize * FILL) / Math.max(rate, 0.001)));
    const some = people.slice(from, from + Math.min(fitting, most));
    const page = await first(deps.source, type, some);
    if (page.next && some.length > 1) {
      // Unsorted results of several pages are not stable: fewer patients at a time.
      most = Math.ceil(some.length / 2);
      reading.rates.set(type, Math.max(rate, (1000 / some.length) * 1.1));
      continue;
    }
    most = people.length;
    reading.rates.set(type, Math.max(0.001, page.records.length / some.length));
    from += some.length;
    if (page.next) {
      yield* ofOne(deps, type, some, reading);
    } else {
      yield { type, people: some, records: page.records, copies: await copiesOf(deps, type, some, reading) };
    }
  }
  return undefined;
}

interface Page {
  readonly records: readonly Replicated[];
  readonly next: string | undefined;
}

/** In a batch, whose URLs may be longer than a server takes as the address of a request. */
async function first(source: SourceFhir, type: ReplicatedType, people: readonly Person[]): Promise<Page> {
  const ids = people.map(({ patientId }) => patientId);
  const [answer] = await source.read([`${recordsSearch(type, ids)}&_count=1000`]);
  if (answer?.resource?.resourceType !== 'Bundle') {
    const status = answer?.status ?? 0;
    throw sourceFault(status);
  }
  return pageOf(answer.resource);
}

function pageOf(bundle: Bundle): Page {
  return {
    records: (bundle.entry ?? []).flatMap(({ resource }) => (resource as Replicated | undefined) ?? []),
    next: bundle.link?.find(({ relation }) => relation === 'next')?.url,
  };
}

/** A patient with more than a page: by cursor. All copies come with the first slice, since those that are left over are orphans. */
async function* ofOne(
  deps: Deps,
  type: ReplicatedType,
  people: readonly Person[],
  reading: Reading
): AsyncGenerator<Slice> {
  const copies = [...(await copiesOf(deps, type, people, reading))];
  const records: Replicated[] = [];
  const [{ patientId } = { patientId: '' }] = people;
  let url: string | undefined = `${patientSearch(type, patientId)}&_sort=_lastUpdated&_count=1000`;
  while (url) {
    const page: Page = pageOf(await deps.source.search(url));
    records.push(...page.records);
    url = page.next;
  }
  yield { type, people, records, copies };
}

async function copiesOf(
  { replica }: Deps,
  type: ReplicatedType,
  people: readonly Person[],
  { isDeep }: Reading
): Promise<readonly (Copy | Inspected)[]> {
  const ids = people.flatMap(({ copies }) => copies.map(({ id }) => id));
  if (ids.length === 0) {
    return [];
  }
  // Sorted, so that pages follow each other by cursor (`platform.md` §5.5).
  const search = `${recordsSearch(type, ids)}&_sort=_lastUpdated&_count=1000`;
  return isDeep ? replica.inspect([search]) : replica.find([`${search}&_fields=${fieldsOf(type)}`]);
}
