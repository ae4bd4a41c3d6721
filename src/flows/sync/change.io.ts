/**
 * One changed record, start to finish: gather → plan → audit → apply → confirm, four requests when nothing interferes. What cannot be
 * delivered becomes a job.
 */
import { patientIdOf } from '../../config/policy.ts';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import type { FaultCode } from '../../observability/fault.ts';
import { add, tallyOf } from '../../observability/tally.ts';
import type { Tally } from '../../observability/tally.ts';
import { controlOf, heldBy } from '../../queue/control.ts';
import type { Order } from '../../queue/job.ts';
import type { Deps } from '../deps.ts';
import { keyringOf } from '../keyring.ts';
import type { Keyring } from '../keyring.ts';
import { apply } from './apply.io.ts';
import { audit } from './audit.io.ts';
import { syncChildren, syncDocuments } from './children.io.ts';
import { hasFinished } from './documents.ts';
import { begun, doneOf } from './done.ts';
import type { Done, Told } from './done.ts';
import { planAll } from './establish.io.ts';
import { fingerprintOf, keyOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';
import { removeFormer, replacedBy } from './former.io.ts';
import { gather } from './gather.io.ts';
import { syncPage } from './page.io.ts';
import { syncPatient } from './patient.io.ts';
import { areOriginalsKept, keepOriginals } from './originals.io.ts';
import { recheckOrder, recordOrder } from './orders.ts';
import { plan, planParents } from './plan.ts';
import type { Plan, Rules } from './plan.ts';
import { holdBack, postpone } from './postpone.io.ts';
import { rulesOf } from './rules.ts';
import { stubsOfPlans } from './search.ts';
import { sealStubs } from './stubs.io.ts';
import { formerPatients, hasTurned } from './turn.ts';

/** A record that changes faster than it can be copied is left to the sweep. */
const MAX_ROUNDS = 6;
/** A Consent's run has begun by then, or its event was lost, and the sweep has the patient on its list. */
const CONSENT_RUN_MS = 60_000;
/**
 * Doubling from the second round on, so that six rounds outlast a burst of saves (1.5 s). Twenty runs that go again at once keep each other from
 * settling, and the replica's quota of a minute is gone in seconds: a refused write costs as much as one that is done.
 */
const FIRST_PAUSE_MS = 25;

/**
 * Brings the copy of one record in line with the source.
 *
 * The event that calls this is only a hint: runs are parallel, and an older version can arrive last. What counts is the
 * state that is read here. After the effect it is read again; if anything that the plan was made from has changed, it
 * goes again. So the last writer has always written the newest state, without locks.
 *
 * @param deps - The run.
 * @param patientId - The patient of the record, as the event has it.
 * @param hint - The record.
 * @param seenAt - The `lastUpdated` of the version that the event tells of.
 * @returns What was done; `queued: 1` when it could not be done now and is a job. The failure is in the trail by then.
 * @throws Fault `source-*` when not even the job could be stored.
 */
export async function syncChange(deps: Deps, patientId: string, hint: Hint, seenAt?: string): Promise<Tally> {
  let isCopied = false;
  const order = (): Order =>
    isCopied
      ? recheckOrder(patientId, deps.clock.now())
      : { ...recordOrder(patientId, hint, deps.clock.now()), isUrgent: seenAt === undefined };
  try {
    return await copyChange(deps, patientId, hint, seenAt, () => {
      isCopied = true;
    });
  } catch (error) {
    return postpone(deps, order(), error);
  }
}

/** `onCopied` is called when the record itself is done, and only what follows from it is left. */
async function copyChange(
  deps: Deps,
  patientId: string,
  hint: Hint,
  seenAt: string | undefined,
  onCopied: () => void
): Promise<Tally> {
  const { config, clock } = deps;
  const startedAt = clock.now();
  const done: Done[] = [];
  const untold = (): Done[] => done.filter(({ action }) => action !== 'put');
  const fail = async (keyring: Keyring, fault: FaultCode, round: number, error: unknown): Promise<never> => {
    await audit(deps, { patientId, keyring, startedAt, attempt: round, fault }, untold());
    throw error;
  };
  const gatherAfter = async (pauseMs: number): Promise<Facts> => {
    await clock.sleep(pauseMs);
    return gather(deps, patientId, [hint]);
  };

  const first = await gather(deps, patientId, [hint], true);
  if (isOvertaken(first, hint, seenAt)) {
    return tallyOf([]);
  }
  const held = heldBy(controlOf(config.systems, first.control));
  if (held !== undefined && mayConcernReplica(deps, first, hint)) {
    return holdBack(deps, { ...recordOrder(patientId, hint, clock.now()), isUrgent: seenAt === undefined }, held);
  }
  let facts = first;
  for (let round = 1; ; round++) {
    const [current = hint] = facts.hints;
    const state = facts;
    const { keyring, rules, plans } = await planAll(deps, state, (one) => leftToConsent(one, state, clock.now()));
    const [planned] = plans as readonly [Plan];
    const announce = async (told: readonly Told[]): Promise<void> =>
      audit(deps, { patientId, keyring, startedAt, attempt: round }, told);
    // The Patient's copy goes last: without it, copies of records that are gone as well are found by nobody.
    const isPatientLeaving = planned.action === 'withdraw' && current.resourceType === 'Patient';
    if (hasEffect(planned) && !isPatientLeaving) {
      await announce([begun(doneOf(deps, planned))]);
    }
    let after = facts;
    try {
      if (isPatientLeaving) {
        return add(tallyOf(done), await syncPatient(deps, patientId));
      }
      await keepOriginals(deps, facts, [planned]);
      await apply(deps, planned, async (parents) => {
        const along = planParents(state, parents, rules);
        const targets = stubsOfPlans([planned, ...along]);
        const stubs = await sealStubs(deps, targets, rules);
        const told = [
          ...targets.map((target): Told => ({ action: 'put', target })),
          ...along.map((one) => begun(doneOf(deps, one))),
        ];
        if (told.length > 0) {
          await announce(told);
        }
        return [...stubs, ...along.map(({ sealed }) => sealed)];
      });
      // Each effect is kept for the trail, not only the last: what was disclosed in an earlier round was disclosed.
      done.push(doneOf(deps, planned));
      done.push(...(await removeFormer(deps, keyring.former, replacedBy([current], [planned]), announce)));
      after = hasEffect(planned) ? await gather(deps, patientId, [current]) : facts;
    } catch (error) {
      const code = faultCodeOf(error) ?? 'replica-rejected';
      done.push({ ...doneOf(deps, planned), action: 'fail', reason: code });
      return fail(keyring, code, round, error);
    }
    if (fingerprintOf(after) === fingerprintOf(facts) && areOriginalsKept(deps, after, [planned])) {
      if (untold().length > 0) {
        await announce(untold());
      }
      report(deps, keyring, planned, round);
      onCopied();
      return add(tallyOf(done), await follow(deps, { ...facts, earlier: first.earlier }, current, rules));
    }
    if (round >= MAX_ROUNDS) {
      return fail(keyring, 'contention', round, new Fault('contention'));
    }
    facts = round === 1 ? after : await gatherAfter(FIRST_PAUSE_MS * 2 ** round);
  }
}

/** For a patient without a copy and without a Consent there is nothing to hold back. */
function mayConcernReplica(deps: Deps, facts: Facts, hint: Hint): boolean {
  const [current = hint] = facts.hints;
  const { keys } = keyringOf(deps.config, facts.patientId, facts.link, deps.mint);
  const planned = plan(facts, current, rulesOf(deps, keys));
  return facts.isLinked || leftToConsent(planned, facts, deps.clock.now()).action !== 'skip';
}

/**
 * A newer version has an event of its own, which comes to the same and more. Of twenty versions in a burst one is written, not
 * twenty: conflicting writes cost the server connections, and us the quota.
 */
function isOvertaken(facts: Facts, hint: Hint, seenAt: string | undefined): boolean {
  const record = facts.records.get(keyOf(hint));
  const isSamePatient = record !== undefined && patientIdOf(record) === facts.patientId;
  return seenAt !== undefined && isSamePatient && (record.meta?.lastUpdated ?? '') > seenAt;
}

/**
 * The first copy of a patient who has just consented is made by the Consent's own run, which walks over every record after it
 * has written the link: so a record without a link is in that walk. Two writers at once would make the Patient twice.
 */
function leftToConsent(planned: Plan, facts: Facts, now: number): Plan {
  const newest = Math.max(0, ...facts.consents.map(({ meta }) => Date.parse(meta?.lastUpdated ?? '') || 0));
  return planned.action === 'put' && !facts.isLinked && now - newest < CONSENT_RUN_MS
    ? { action: 'skip', target: planned.target, reason: 'consent-run-first', decision: planned.decision }
    : planned;
}

/** What the change means for other copies: seldom anything, and no request is made to find that out. */
async function follow(deps: Deps, facts: Facts, hint: Hint, rules: Rules): Promise<Tally> {
  const record = facts.records.get(keyOf(hint));
  const patientId = record && patientIdOf(record);
  let total = tallyOf([]);
  for (const former of formerPatients(facts).filter((id) => id !== patientId)) {
    total = add(total, await syncPage(deps, former, [hint]));
  }
  if (patientId && patientId !== facts.patientId) {
    return add(total, await syncChange(deps, patientId, hint));
  }
  if (!facts.isLinked) {
    return total;
  }
  if (!hasTurned(facts, hint, rules)) {
    return hasFinished(facts, hint) ? add(total, await syncDocuments(deps, facts.patientId, [hint.id])) : total;
  }
  if (hint.resourceType === 'Encounter') {
    return add(total, await syncChildren(deps, facts.patientId, [hint.id]));
  }
  return hint.resourceType === 'Patient' ? add(total, await syncPatient(deps, facts.patientId)) : total;
}

function hasEffect({ action }: Plan): boolean {
  return action === 'put' || action === 'withdraw';
}

function report({ log }: Deps, { isProvisional }: Keyring, planned: Plan, attempt: number): void {
  const { action, target } = planned;
  const known = {
    ...('reason' in planned && { reason: planned.reason }),
    ...(!isProvisional && { token: target.token }),
  };
  log('info', 'change-synced', { resourceType: target.resourceType, action, attempt, ...known });
}
