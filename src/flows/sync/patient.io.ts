/** Everything of one patient: after a change of Consent, or of the Patient itself. */
import { patientSearch, REPLICATED_TYPES } from '../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../config/policy.ts';
import { Fault, faultOf } from '../../observability/fault.ts';
import { add, NOTHING } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import type { Change, Copy } from '../../ports.ts';
import { patientKeys } from '../../rules/deid/keys.ts';
import type { PatientKeys } from '../../rules/deid/keys.ts';
import type { Deps } from '../deps.ts';
import { audit } from './audit.io.ts';
import { hintOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';
import { gather } from './gather.io.ts';
import { linkSearch } from './link.ts';
import { PAGE_SIZE, syncPage } from './page.io.ts';
import { plan } from './plan.ts';
import { rulesOf } from './rules.ts';
import { nextLook, timerOf } from './timer.ts';

/** What came of looking at a patient. */
export interface Looked extends Tally {
  /** Whether nothing of the patient may be on the replica now. */
  readonly isLeaving: boolean;
}

/**
 * Brings all copies of one patient in line with source and Consents: back-fills what is now permitted, erases what no
 * longer is, and removes copies whose source is gone. Then says when to look again, if anything will change by itself.
 *
 * @param deps - The run.
 * @param patientId - The patient.
 * @param isTimed - True when a timer asked for this look: it is set anew, or done with.
 * @returns What was done.
 * @throws Fault when either server cannot be reached, or `deadline`; a timer has been set by then, so that it goes on.
 */
export async function syncPatient(deps: Deps, patientId: string, isTimed = false): Promise<Looked> {
  const keys = patientKeys(deps.config.key, patientId);
  const setTimer = async (at: number | undefined): Promise<void> =>
    deps.source.schedule(timerOf(deps.config.systems, { id: patientId, token: keys.patientToken }, at));
  const facts = await gather(
    deps.source,
    { patientId, linkSearch: linkSearch(deps.config.systems, keys.patientToken) },
    [{ resourceType: 'Patient', id: patientId }]
  );
  try {
    const tally = await look(deps, facts, keys);
    const hasErased = tally.withdrawn > 0;
    const next = nextLook({ consents: facts.consents, patient: facts.patient, hasErased, now: deps.clock.now() });
    if (next !== undefined || isTimed) {
      await setTimer(next);
    }
    return tally;
  } catch (error) {
    // What is not finished is looked at again by the next sweep, also when nothing else would remind it.
    await setTimer(deps.clock.now());
    throw error;
  }
}

async function look(deps: Deps, facts: Facts, keys: PatientKeys): Promise<Looked> {
  const { patientId } = facts;
  const self: Hint = { resourceType: 'Patient', id: patientId };
  const isLeaving = plan(facts, self, rulesOf(deps, keys)).action !== 'put';
  const isConsented = facts.consents.some(({ status }) => status === 'active');
  if (!facts.isLinked && !isConsented) {
    return { ...(await syncPage(deps, patientId, [self])), isLeaving };
  }
  const known = new Set([keys.patientToken]);
  const before = await copiesOfPatient(deps, keys);
  let total = NOTHING;
  // Parents come first into the replica and leave it last: no copy ever refers to one that is not there.
  for (const type of isLeaving ? REPLICATED_TYPES.toReversed() : REPLICATED_TYPES) {
    total = add(
      total,
      type === 'Patient' ? await syncPage(deps, patientId, [self]) : await syncType(deps, patientId, type, keys, known)
    );
  }
  const orphans = before.filter(({ token }) => !known.has(token));
  return { ...add(total, await removeOrphans(deps, patientId, keys, orphans)), isLeaving };
}

async function syncType(
  deps: Deps,
  patientId: string,
  type: ReplicatedType,
  keys: PatientKeys,
  known: Set<string>
): Promise<Tally> {
  let total = NOTHING;
  let url: string | undefined = `${patientSearch(type, patientId)}&_count=${PAGE_SIZE}&_sort=_lastUpdated`;
  while (url) {
    if (deps.clock.now() >= deps.deadlineAt) {
      throw new Fault('deadline');
    }
    const page = await deps.source.search(url);
    const hints = (page.entry ?? []).flatMap(({ resource }) => (resource ? [hintOf(resource as Replicated).hint] : []));
    if (hints.length > 0) {
      total = add(total, await syncPage(deps, patientId, hints, { isWhole: true }));
    }
    hints.forEach((hint) => known.add(keys.token(hint.resourceType, hint.id)));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return total;
}

/**
 * The replica's own view of a patient: it also shows copies whose source is deleted or belongs to somebody else now.
 *
 * @param deps - The run.
 * @param keys - The patient's keys.
 * @returns Copies that refer to a Patient under the token.
 */
export async function copiesOfPatient({ replica, config }: Deps, keys: PatientKeys): Promise<readonly Copy[]> {
  const search = `identifier=${encodeURIComponent(`${config.systems.patientToken}|${keys.patientToken}`)}&_fields=identifier,meta&_count=1000`;
  const patients = await replica.find([`Patient?${search}`]);
  const searches = patients.flatMap(({ id }) =>
    REPLICATED_TYPES.filter((type) => type !== 'Patient').map(
      (type) => `${patientSearch(type, id)}&_fields=identifier,meta&_count=1000`
    )
  );
  return searches.length > 0 ? replica.find(searches) : [];
}

async function removeOrphans(
  deps: Deps,
  patientId: string,
  keys: PatientKeys,
  orphans: readonly Copy[]
): Promise<Tally> {
  let total = NOTHING;
  for (let from = 0; from < orphans.length; from += PAGE_SIZE) {
    const some = orphans.slice(from, from + PAGE_SIZE);
    const startedAt = deps.clock.now();
    const tokenSystem = deps.config.systems.resourceToken;
    await removeCopies(deps, some, tokenSystem);
    // The source record is gone or belongs to another patient: the token is the only name left for it.
    const done = some.map(({ resourceType, token }) => ({
      action: 'withdraw' as const,
      reason: 'deleted',
      erasure: deps.eraser ? ('expunged' as const) : ('deleted' as const),
      target: { resourceType: resourceType as ReplicatedType, token, tokenSystem },
    }));
    await audit(deps, { patientId, keys, startedAt, attempt: 1 }, done);
    total = add(total, { ...NOTHING, withdrawn: some.length, reasons: { deleted: some.length } });
  }
  return total;
}

async function removeCopies({ replica, eraser }: Deps, copies: readonly Copy[], tokenSystem: string): Promise<void> {
  if (eraser) {
    return eraser.erase(copies.map(({ resourceType, token }) => ({ resourceType, token, tokenSystem })));
  }
  const outcome = await replica.write(copies.map((copy): Change => ({ action: 'delete', copy })));
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
}
