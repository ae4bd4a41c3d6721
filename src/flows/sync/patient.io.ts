/** Everything of one patient: after a change of Consent, or of the Patient itself. */
import { filingFieldsOf, patientSearch, REPLICATED_TYPES } from '../../config/policy.ts';
import { Fault } from '../../observability/fault.ts';
import { add, NOTHING, tallyOf } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Copy } from '../../ports.ts';
import { enqueue } from '../../queue/store.io.ts';
import type { Deps } from '../deps.ts';
import { keyringOf } from '../keyring.ts';
import type { Keyring } from '../keyring.ts';
import { audit } from './audit.io.ts';
import { close } from './close.io.ts';
import type { Outcome } from './close.io.ts';
import { readLink } from './establish.io.ts';
import { recheckOrder, secondLookOrder, secondLookSearch } from './orders.ts';
import { keyOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';
import { childrenFirst, removeCopies } from './former.io.ts';
import type { Leaving } from './former.io.ts';
import { gather } from './gather.io.ts';
import { hintsOf } from './hints.io.ts';
import { PAGE_SIZE, syncPage } from './page.io.ts';
import { plan, targetOf } from './plan.ts';
import { rulesOf } from './rules.ts';
import { searchesOf } from './search.ts';
import { nextLook, secondLookAfter } from './timer.ts';

/** What came of looking at a patient. */
export interface Looked extends Tally {
  /** Whether nothing of the patient may be on the replica now. */
  readonly isLeaving: boolean;
}

/** What whoever asks for a look knows. */
export interface AskedLook {
  /** True when a job asked for it that an earlier look has left. */
  readonly isSecondLook?: boolean;
  /** Records of which something is known to be wanted: one that is deleted is in no search, and its copy in none once its Patient's is gone. */
  readonly records?: readonly Hint[];
}

/**
 * Brings all copies of one patient in line with source and Consents: back-fills what is now permitted, erases what no
 * longer is, removes copies whose source is gone, and brings copies under former keys under the present ones. Then says when to look
 * again, if anything will change by itself.
 *
 * @param deps - The run.
 * @param patientId - The patient.
 * @param asked - What the caller knows.
 * @returns What was done.
 * @throws Fault when either server cannot be reached, or `deadline`: the caller sees to it that it goes on.
 */
export async function syncPatient(
  deps: Deps,
  patientId: string,
  { isSecondLook = false, records = [] }: AskedLook = {}
): Promise<Looked> {
  const { config, clock } = deps;
  const facts = await gather(deps, patientId, [{ resourceType: 'Patient', id: patientId }]);
  const keyring = keyringOf(config, patientId, facts.link, deps.mint);
  const tally = await look(deps, facts, keyring, records);
  const { consents, patient } = facts;
  const hasErased = tally.withdrawn > 0;
  const outcome = { isPatientThere: patient !== undefined, hasErased, isSecondLook, ...tally };
  const isOpen = await closeLink(deps, facts, keyring, outcome);
  if (hasErased || isOpen) {
    await enqueue(deps, secondLookOrder(patientId, secondLookAfter(clock.now())));
  }
  const next = nextLook({ consents, patient, now: clock.now() });
  if (next !== undefined) {
    await enqueue(deps, recheckOrder(patientId, next));
  }
  return tally;
}

/** Only where there are former keys, or a crosswalk to forget, does it take a request. */
async function closeLink(
  deps: Deps,
  { patientId, link }: Facts,
  { formerTokens }: Keyring,
  outcome: Outcome
): Promise<boolean> {
  const mayForget = link?.secret !== undefined && outcome.isLeaving && outcome.isSecondLook;
  if (formerTokens.length === 0 && !mayForget) {
    return false;
  }
  const now = await readLink(deps, patientId);
  const isSecondLook = outcome.isSecondLook && !(mayForget && (await hasLaterLook(deps, patientId)));
  return close(deps, now, keyringOf(deps.config, patientId, now, deps.mint), { ...outcome, isSecondLook });
}

/** Something was erased after what this look is for: that look needs the keys as well. */
async function hasLaterLook({ source, config }: Deps, patientId: string): Promise<boolean> {
  const { entry = [] } = await source.search(secondLookSearch(config.systems, patientId));
  return entry.length > 0;
}

async function look(deps: Deps, facts: Facts, keyring: Keyring, records: readonly Hint[]): Promise<Looked> {
  const { patientId } = facts;
  const { keys } = keyring;
  const self: Hint = { resourceType: 'Patient', id: patientId };
  const isLeaving = plan(facts, self, rulesOf(deps, keys)).action !== 'put';
  const isConsented = facts.consents.some(({ status }) => status === 'active');
  if (!facts.isLinked && !isConsented) {
    return { ...(await syncPage(deps, patientId, [self])), isLeaving };
  }
  // Keys that no copy was ever made under need no look at what is there.
  const before = keyring.isProvisional ? [] : await copiesOfPatient(deps, keys.patientToken);
  // While its Patient is there: afterwards nobody finds a copy whose record is gone as well.
  const formerBefore = await formerView(deps, keyring.formerTokens);
  const others = records.filter(({ resourceType }) => resourceType !== 'Patient');
  const all = [...(await recordsOf(deps, patientId)), ...others];
  const seen = [...new Map(all.map((hint) => [keyOf(hint), hint])).values()];
  const known = new Set([keys.patientToken, ...seen.map((hint) => keys.token(hint.resourceType, hint.id))]);
  const orphans = { copies: before.filter(({ token }) => !known.has(token)), reason: 'deleted' };
  const remove = async (leaving: Leaving): Promise<Tally> => removeAll(deps, patientId, keyring, leaving);
  const removeFormer = async (): Promise<Tally> =>
    remove({ copies: await formerCopies(deps, keyring, seen, formerBefore), reason: 'rekeyed' });
  // Parents come first into the replica and leave it last: no copy ever refers to one that is not there, and what is not among the records is
  // only found by its Patient's copy.
  if (isLeaving) {
    const rest = add(await remove(orphans), await removeFormer());
    return { ...add(rest, await syncPages(deps, patientId, [self, ...seen].toReversed())), isLeaving };
  }
  const total = add(await syncPages(deps, patientId, [self, ...seen]), await remove(orphans));
  // What could not be written under the present keys stays readable under the former ones, with its parents.
  return { ...(total.failed > 0 ? total : add(total, await removeFormer())), isLeaving };
}

async function syncPages(deps: Deps, patientId: string, hints: readonly Hint[]): Promise<Tally> {
  let total = NOTHING;
  for (let from = 0; from < hints.length; from += PAGE_SIZE) {
    if (deps.clock.now() >= deps.deadlineAt) {
      throw new Fault('deadline');
    }
    total = add(total, await syncPage(deps, patientId, hints.slice(from, from + PAGE_SIZE), { isWhole: true }));
  }
  return total;
}

/** All records of a patient but the Patient, parents first: one request, and one for each further thousand of a type. */
async function recordsOf({ source }: Deps, patientId: string): Promise<Hint[]> {
  const types = REPLICATED_TYPES.filter((type) => type !== 'Patient');
  return hintsOf(
    source,
    types.map((type) => `${patientSearch(type, patientId)}&_fields=${filingFieldsOf(type)}`)
  );
}

/**
 * The replica's own view of a patient: it also shows copies whose source is deleted or belongs to somebody else now.
 *
 * @param deps - The run.
 * @param patientToken - The patient's token.
 * @returns Copies that refer to a Patient under the token.
 */
export async function copiesOfPatient(deps: Deps, patientToken: string): Promise<readonly Copy[]> {
  const patients = await patientCopies(deps, patientToken);
  const searches = patients.flatMap(({ id }) =>
    REPLICATED_TYPES.filter((type) => type !== 'Patient').map(
      (type) => `${patientSearch(type, id)}&_fields=identifier,meta&_count=1000`
    )
  );
  return searches.length > 0 ? deps.replica.find(searches) : [];
}

async function patientCopies({ replica, config }: Deps, patientToken: string): Promise<readonly Copy[]> {
  const search = `identifier=${encodeURIComponent(`${config.systems.patientToken}|${patientToken}`)}&_fields=identifier,meta&_count=1000`;
  return replica.find([`Patient?${search}`]);
}

/** What is left under former tokens: what the replica's view shows, and Encounters, which may refer to no Patient. */
async function formerCopies(
  deps: Deps,
  { former, formerTokens }: Keyring,
  seen: readonly Hint[],
  before: readonly Copy[]
): Promise<Copy[]> {
  const known = new Set(former ? seen.map((hint) => former.token(hint.resourceType, hint.id)) : []);
  const found = before.filter(({ resourceType, token }) => resourceType !== 'Patient' && !known.has(token));
  const encounters = seen.filter(({ resourceType }) => resourceType === 'Encounter');
  for (let from = 0; former && from < encounters.length; from += PAGE_SIZE) {
    const some = encounters.slice(from, from + PAGE_SIZE);
    const targets = some.map((hint) => targetOf(hint, { config: deps.config, keys: former }));
    found.push(...(await deps.replica.find(searchesOf(targets))));
  }
  found.push(...(await formerView(deps, formerTokens)));
  const unique = new Map(found.map((copy) => [`${copy.resourceType}/${copy.id}`, copy]));
  return childrenFirst([...unique.values()]);
}

async function formerView(deps: Deps, formerTokens: readonly string[]): Promise<Copy[]> {
  const found: Copy[] = [];
  for (const token of formerTokens) {
    found.push(...(await copiesOfPatient(deps, token)), ...(await patientCopies(deps, token)));
  }
  return found;
}

async function removeAll(deps: Deps, patientId: string, keyring: Keyring, { copies, reason }: Leaving): Promise<Tally> {
  let total = NOTHING;
  for (let from = 0; from < copies.length; from += PAGE_SIZE) {
    const startedAt = deps.clock.now();
    const frame = { patientId, keyring, startedAt, attempt: 1 };
    const some = { copies: copies.slice(from, from + PAGE_SIZE), reason };
    const done = await removeCopies(deps, some, async (told) => audit(deps, frame, told));
    await audit(deps, frame, done);
    total = add(total, tallyOf(done));
  }
  return total;
}
