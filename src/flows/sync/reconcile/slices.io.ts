/** Records and copies of many patients, of one type: one search on each side for as many patients as fill a page. */
import type { Basic } from '@medplum/fhirtypes';
import { fieldsOf, keepsOriginal, recordsSearches } from '../../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../../config/policy.ts';
import type { Copy, Inspected } from '../../../ports.ts';
import type { Deps } from '../../deps.ts';
import { readAll } from '../../read-all.io.ts';
import { originalsSearches } from '../controls.ts';
import type { Person } from './people.io.ts';

/** What both sides hold of some patients, of one type. */
export interface Slice {
  readonly type: ReplicatedType;
  readonly people: readonly Person[];
  readonly records: readonly Replicated[];
  /** What is known of the encrypted originals of the records. */
  readonly originals: readonly Basic[];
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

/** Pages that a slice should fill: the last one is half empty on average, so two of them waste less than one. */
const PAGES = 2.5;
const FIRST_RATE = 8;

/**
 * Reads one type of all patients of a page. The next slice is on its way while the caller works on one.
 *
 * @param deps - The run.
 * @param type - Any type but Patient.
 * @param people - The patients.
 * @param reading - How to read.
 * @yields Slices.
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
  for (let from = 0; from < people.length;) {
    const rate = reading.rates.get(type) ?? FIRST_RATE;
    const fitting = Math.max(1, Math.floor((reading.batchSize * PAGES) / Math.max(rate, 0.001)));
    const some = people.slice(from, from + fitting);
    const [records, copies] = await Promise.all([recordsOf(deps, type, some), copiesOf(deps, type, some, reading)]);
    reading.rates.set(type, records.length / some.length);
    from += some.length;
    yield { type, people: some, records, copies, originals: await originalsOf(deps, type, records) };
  }
  return undefined;
}

/** In batches, whose URLs may be longer than a server takes as the address of a request. */
async function recordsOf({ source }: Deps, type: ReplicatedType, people: readonly Person[]): Promise<Replicated[]> {
  const ids = people.map(({ patientId }) => patientId);
  // Sorted, so that pages follow each other by cursor (`platform.md` §5.5): what changes meanwhile comes once more, and counts as it is then.
  const searches = recordsSearches(type, ids).map((search) => `${search}&_sort=_lastUpdated&_count=1000`);
  const found = (await readAll(source, searches)).flat();
  return [...new Map((found as Replicated[]).map((record) => [record.id, record])).values()];
}

async function originalsOf(
  { source, config }: Deps,
  type: ReplicatedType,
  records: readonly Replicated[]
): Promise<Basic[]> {
  const kept = keepsOriginal(type) ? records.map(({ id }) => `${type}/${id}`) : [];
  return (await readAll(source, originalsSearches(config.systems, kept))).flat() as Basic[];
}

async function copiesOf(
  { replica }: Deps,
  type: ReplicatedType,
  people: readonly Person[],
  { isDeep }: Reading
): Promise<readonly (Copy | Inspected)[]> {
  const ids = people.flatMap(({ copies }) => copies.map(({ id }) => id));
  const searches = recordsSearches(type, ids).map((search) => `${search}&_sort=_lastUpdated&_count=1000`);
  return isDeep ? replica.inspect(searches) : replica.find(searches.map((one) => `${one}&_fields=${fieldsOf(type)}`));
}
