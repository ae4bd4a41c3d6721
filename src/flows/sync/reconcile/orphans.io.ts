/** Copies on the replica that belong to no patient of the source. Looked for only when the replica counts more than there should be. */
import { fieldsOf, recordsSearches, REPLICATED_TYPES } from '../../../config/policy.ts';
import type { ReplicatedType } from '../../../config/policy.ts';
import { listsOf } from '../../../fhir/lists.ts';
import { Fault } from '../../../observability/fault.ts';
import type { Copy } from '../../../ports.ts';
import type { Deps } from '../../deps.ts';
import { linkIn, liveTokens } from '../../link.ts';
import { readAll } from '../../read-all.io.ts';
import { childrenFirst, removeCopies } from '../former.io.ts';
import { syncPatient } from '../patient.io.ts';

/** Where the walk tells what it sees. */
export interface OrphanTeller {
  readonly isDryRun: boolean;
  /** Copies that are removed, or would be. */
  tell(copies: readonly Copy[]): Promise<void>;
}

const AT_A_TIME = 50;

/**
 * @param deps - The run.
 * @param types - Some types.
 * @returns How many copies of ours the replica counts of each, in order.
 * @throws Fault `replica-*` when it cannot be asked.
 */
export async function countsOf(
  { replica, config }: Deps,
  types: readonly ReplicatedType[]
): Promise<readonly number[]> {
  const { patientToken, resourceToken } = config.systems;
  return replica.count(
    types.map((type) => {
      const system = type === 'Patient' ? patientToken : resourceToken;
      return `${type}?identifier=${encodeURIComponent(`${system}|`)}`;
    })
  );
}

/**
 * Walks over all copies of one type and removes those that are nobody's: Patients without a link in the source, with everything under
 * them, and copies that refer to no Patient. Copies of a patient who is in the source were looked at with the patient.
 *
 * @param deps - The run.
 * @param type - The type.
 * @param teller - Is told.
 * @throws Fault when either server cannot be reached, or `deadline`.
 */
export async function removeOrphans(deps: Deps, type: ReplicatedType, teller: OrphanTeller): Promise<void> {
  let url: string | undefined = `${type}?_sort=_lastUpdated&_count=1000&_fields=${fieldsOf(type)}`;
  while (url) {
    if (deps.clock.now() >= deps.deadlineAt) {
      throw new Fault('deadline');
    }
    const page = await deps.replica.page(url);
    const orphans =
      type === 'Patient' ? await strangers(deps, page.copies, teller) : await unattached(deps, page.copies);
    await remove(deps, orphans, teller);
    url = page.next;
  }
}

/** Patients whose token the source does not know. One whom it knows and no longer has leaves as any other does. */
async function strangers(deps: Deps, copies: readonly Copy[], teller: OrphanTeller): Promise<Copy[]> {
  const known = await patientIdsOf(deps, copies);
  const ids = [...new Set(known.values())];
  const there = await existing(deps.source, ids);
  for (const patientId of ids.filter((id) => !there.has(id))) {
    const own = copies.filter(({ token }) => known.get(token) === patientId);
    await teller.tell(await withChildren(deps, own));
    if (!teller.isDryRun) {
      await syncPatient(deps, patientId);
    }
  }
  return withChildren(
    deps,
    copies.filter(({ token }) => !known.has(token))
  );
}

async function patientIdsOf({ source, config }: Deps, copies: readonly Copy[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let from = 0; from < copies.length; from += AT_A_TIME) {
    const some = copies.slice(from, from + AT_A_TIME);
    const terms = some.map(({ token }) => encodeURIComponent(`${config.systems.patientToken}|${token}`)).join(',');
    const page = await source.search(`Basic?identifier=${terms}&_count=1000`);
    for (const { resource } of page.entry ?? []) {
      const link = resource && linkIn(config.systems, [resource]);
      liveTokens(link).forEach((token) => found.set(token, link?.patientId ?? ''));
    }
  }
  return found;
}

async function existing(source: Deps['source'], ids: readonly string[]): Promise<Set<string>> {
  const lists = await readAll(
    source,
    listsOf(ids).map((list) => `Patient?_id=${list}&_fields=id&_count=1000`)
  );
  return new Set(lists.flat().map(({ id = '' }) => id));
}

async function withChildren({ replica }: Deps, patients: readonly Copy[]): Promise<Copy[]> {
  if (patients.length === 0) {
    return [];
  }
  const ids = patients.map(({ id }) => id);
  const children = REPLICATED_TYPES.filter((type) => type !== 'Patient').toReversed();
  const found = await replica.find(
    children.flatMap((type) =>
      recordsSearches(type, ids).map((search) => `${search}&_sort=_lastUpdated&_count=1000&_fields=identifier,meta`)
    )
  );
  return childrenFirst([...found, ...patients]);
}

/** Copies whose subject is on no Patient of the replica. */
async function unattached({ replica }: Deps, copies: readonly Copy[]): Promise<Copy[]> {
  const subjectOf = ({ references }: Copy): string | undefined =>
    references.find((one) => one.startsWith('Patient/'))?.split('/')[1];
  const ids = [...new Set(copies.flatMap((copy) => subjectOf(copy) ?? []))];
  const patients = await replica.find(
    listsOf(ids).map((list) => `Patient?_id=${list}&_fields=identifier,meta&_count=1000`)
  );
  const there = new Set(patients.map(({ id }) => id));
  return copies.filter((copy) => !there.has(subjectOf(copy) ?? ''));
}

async function remove(deps: Deps, copies: readonly Copy[], teller: OrphanTeller): Promise<void> {
  for (let from = 0; from < copies.length; from += AT_A_TIME) {
    const some = copies.slice(from, from + AT_A_TIME);
    if (teller.isDryRun) {
      await teller.tell(some);
    } else {
      // The trail is told before anything is removed.
      await removeCopies(deps, { copies: some, reason: 'orphaned' }, () => teller.tell(some));
    }
  }
}
