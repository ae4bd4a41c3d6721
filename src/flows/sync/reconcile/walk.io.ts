/** One page of patients: everything of theirs on both sides, compared. Reads only; what differs goes on the work list. */
import type { Basic, Patient } from '@medplum/fhirtypes';
import { keepsOriginal, REPLICATED_TYPES } from '../../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../../config/policy.ts';
import { listsOf } from '../../../fhir/lists.ts';
import { faultCodeOf } from '../../../observability/fault.ts';
import type { Copy, Inspected } from '../../../ports.ts';
import type { Counts, Scope } from '../../reconciliation.ts';
import type { Deps } from '../../deps.ts';
import { isFinishedFor } from '../documents.ts';
import { originalIn } from '../../payload.ts';
import { hintOf, keyOf } from '../facts.ts';
import { areOriginalsKept } from '../originals.io.ts';
import { plan } from '../plan.ts';
import { differencesOf } from './differ.ts';
import type { Planned } from './differ.ts';
import { isGenuine, namesOf } from './genuine.ts';
import { factsOf, peopleOf } from './people.io.ts';
import type { Person } from './people.io.ts';
import type { Work, WorkList } from './repair.io.ts';
import { slicesOf } from './slices.io.ts';
import { idSearches } from '../search.ts';

/** Where a walk tells what it sees. */
export interface Teller {
  count(type: string, counts: Partial<Counts>): void;
  /** Copies that there should be. */
  expect(type: string, copies: number): void;
  fail(type: string, code: string): void;
  /** Called when the list has become long; it is empty afterwards. */
  flush(list: WorkList): Promise<void>;
}

/** Records on the list before it is worked off: it is what a walk keeps in memory. */
const LONG = 3000;
/** These concern one type; any other fault ends the run. */
const OF_ONE_TYPE = ['source-refused', 'replica-rejected'];

interface Page {
  readonly deps: Deps;
  readonly scope: Scope;
  readonly teller: Teller;
  readonly people: ReadonlyMap<string, Person>;
  /** Copies of Patients and Encounters, which others refer to. */
  readonly parents: Copy[];
  /** Stubs that copies refer to, by `Type/id` on the replica; undefined for what is not there. */
  readonly stubs: Map<string, Copy | undefined>;
  readonly list: WorkList;
}

/**
 * Looks at everything of some patients.
 *
 * @param deps - The run.
 * @param scope - What is looked at.
 * @param patients - At most a page of Patients, as they were read.
 * @param rates - Records per patient by type, kept from page to page.
 * @param teller - Is told.
 * @returns What is left to be done.
 * @throws Fault when either server cannot be reached.
 */
export async function walkPage(
  deps: Deps,
  scope: Scope,
  patients: readonly Patient[],
  rates: Map<string, number>,
  teller: Teller
): Promise<WorkList> {
  const everybody = await peopleOf(deps, patients);
  const list: WorkList = new Map();
  const parents = everybody.flatMap(({ copies }) => copies);
  const people = new Map(everybody.map((person) => [person.patientId, person]));
  const page: Page = { deps, scope, teller, people, parents, stubs: new Map(), list };
  const isDeep = scope.isDeep && scope.types.includes('Patient') && parents.length > 0;
  const copies = isDeep
    ? await deps.replica.inspect(listsOf(parents.map(({ id }) => id)).map((list) => `Patient?_id=${list}&_count=1000`))
    : parents;
  const originals = originalsByRecord(
    deps,
    everybody.flatMap((person) => person.originals)
  );
  await judge(page, 'Patient', patients, copies, originals);
  for (const { patientId } of scope.isFill ? [] : everybody.filter(({ isToBeRekeyed }) => isToBeRekeyed)) {
    workOf(list, patientId).needsAll = true;
  }
  for (const type of neededBy(scope)) {
    try {
      for await (const slice of slicesOf(deps, type, everybody, { ...scope, rates })) {
        const byRecord = originalsByRecord(deps, slice.originals);
        await judge(page, type, slice.records, slice.copies, byRecord);
        if (lengthOf(list) >= LONG) {
          await teller.flush(list);
        }
      }
    } catch (error) {
      const code = faultCodeOf(error);
      if (!code || !OF_ONE_TYPE.includes(code)) {
        throw error;
      }
      teller.fail(type, code);
    }
  }
  return list;
}

/** By `Type/id`. */
type Originals = ReadonlyMap<string, readonly Basic[]>;

function originalsByRecord({ config }: Deps, originals: readonly Basic[]): Originals {
  return Map.groupBy(originals, (one) => originalIn(config.systems, one)?.record ?? '');
}

/** Copies of what is part of an Encounter refer to the Encounter's copy where there is one. */
function neededBy({ types }: Scope): readonly ReplicatedType[] {
  return REPLICATED_TYPES.filter(
    (type) =>
      type !== 'Patient' && (types.includes(type) || (type === 'Encounter' && types.some((one) => one !== 'Patient')))
  );
}

function lengthOf(list: WorkList): number {
  let length = 0;
  list.forEach(({ differences }) => (length += differences.length));
  return length;
}

async function judge(
  page: Page,
  type: ReplicatedType,
  records: readonly Replicated[],
  copies: readonly (Copy | Inspected)[],
  originals: Originals
): Promise<void> {
  const { deps, scope, teller, list } = page;
  const stubs = await stubsOfCopies(page, copies);
  const parents = [...(type === 'Patient' ? [] : page.parents), ...stubs];
  const planned = records.flatMap((record) => planOf(page, record, originals) ?? []);
  const suspects = suspectsAmong(page, copies, stubs);
  const { differences, strays } = differencesOf(planned, { copies, parents, suspects }, scope, deps.clock.now());
  if (type === 'Encounter') {
    page.parents.push(
      ...copies.map(({ resourceType, id, token }) => ({ resourceType, id, token, digest: undefined, references: [] }))
    );
  }
  if (!scope.types.includes(type)) {
    return;
  }
  const withheld = planned.filter(({ plan: { action } }) => action === 'withdraw' || action === 'skip').length;
  teller.count(type, { total: planned.length, withheld });
  teller.expect(type, planned.filter(({ plan: { action } }) => action === 'put').length);
  for (const difference of differences) {
    const work = workOf(list, difference.patientId);
    const isRekeyed = page.people.get(difference.patientId)?.isRekeyed === true;
    // Its copy is under the former keys: it goes once the new one is there.
    const isUnderOld = isRekeyed && difference.kind === 'notSynced';
    work.differences.push(isUnderOld ? { ...difference, kind: 'oldKey' } : difference);
    work.needsAll ||= isRekeyed;
  }
  const patientOf = new Map(
    [...page.people.values()].flatMap((one) => one.copies.map(({ id }) => [id, one.patientId]))
  );
  for (const { token, references } of scope.isFill ? [] : strays) {
    const owner = references.map((reference) => patientOf.get(reference.split('/')[1] ?? '')).find(Boolean);
    if (owner !== undefined) {
      workOf(list, owner).strays.push({ resourceType: type, token });
    }
  }
}

/** Each is asked for once. */
async function stubsOfCopies({ deps, stubs }: Page, copies: readonly Copy[]): Promise<Copy[]> {
  if (deps.config.stubTypes.length === 0) {
    return [];
  }
  const named = new Set(
    copies.flatMap(({ references }) =>
      references.filter((one) => deps.config.stubTypes.some((type) => one.startsWith(`${type}/`)))
    )
  );
  const unknown = [...named].filter((one) => !stubs.has(one));
  unknown.forEach((one) => stubs.set(one, undefined));
  if (unknown.length > 0) {
    (await deps.replica.find(idSearches(unknown))).forEach((copy) =>
      stubs.set(`${copy.resourceType}/${copy.id}`, copy)
    );
  }
  return [...named].flatMap((one) => stubs.get(one) ?? []);
}

function planOf({ deps, people }: Page, record: Replicated, originals: Originals): Planned | undefined {
  const { patientId = '', hint } = hintOf(record);
  const person = people.get(patientId);
  if (!person) {
    return undefined;
  }
  const facts = { ...factsOf(person, hint, record), originals: originals.get(keyOf(hint)) ?? [] };
  const made = plan(facts, hint, person.rules);
  if (hint.resourceType === 'Encounter') {
    person.rules.memo.set(keyOf(hint), made.action === 'put');
    person.rules.finished?.set(hint.id, isFinishedFor(patientId, record));
  }
  // Where nothing was ever sent and nothing may be, there is no original either.
  const isOriginalKept = !keepsOriginal(hint.resourceType) || areOriginalsKept(deps, facts, [made]);
  return { patientId, hint, record, plan: made, isOriginalKept };
}

function workOf(list: WorkList, patientId: string): Work {
  const work = list.get(patientId) ?? { differences: [], strays: [], needsAll: false };
  list.set(patientId, work);
  return work;
}

function suspectsAmong(
  { deps, scope, people, parents }: Page,
  copies: readonly (Copy | Inspected)[],
  stubs: readonly Copy[]
): Set<string> {
  if (!scope.isDeep) {
    return new Set();
  }
  const names = namesOf([...parents, ...stubs]);
  const owners = new Map([...people.values()].flatMap((one) => one.copies.map((copy) => [copy.id, one.keys])));
  const suspects = copies.filter((copy) => {
    const patient =
      copy.resourceType === 'Patient' ? copy.id : copy.references.find((one) => one.startsWith('Patient/'));
    const keys = owners.get(patient?.split('/').at(-1) ?? '');
    return 'content' in copy && keys && copy.digest !== undefined && !isGenuine(copy, names, keys, deps.config);
  });
  return new Set(suspects.map(({ token }) => token));
}
