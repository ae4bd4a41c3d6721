/** A Consent has changed: the patient's copies follow, and what came of it is looked at and written down. */
import { Fault } from '../../observability/fault.ts';
import type { Tally } from '../../observability/tally.ts';
import { heldBy } from '../../queue/control.ts';
import { readControl } from '../../queue/gate.io.ts';
import type { Deps } from '../deps.ts';
import { keyringOf } from '../keyring.ts';
import { liveTokens } from '../link.ts';
import { audit } from './audit.io.ts';
import { readLink } from './establish.io.ts';
import { consentOrder } from './orders.ts';
import { copiesOfPatient, syncPatient } from './patient.io.ts';
import type { AskedLook } from './patient.io.ts';
import { holdBack, postpone } from './postpone.io.ts';

/**
 * An event of a Consent: carried through now, or a job that goes first.
 *
 * @param deps - The run.
 * @param patientId - Its patient.
 * @param consent - `Consent/id`.
 * @returns What was done; `queued: 1` when it is a job.
 * @throws Fault `source-*` when not even the job could be stored.
 */
export async function consentChanged(deps: Deps, patientId: string, consent: string): Promise<Tally> {
  const order = consentOrder(patientId, consent, deps.clock.now());
  const held = heldBy(await readControl(deps));
  if (held !== undefined) {
    return holdBack(deps, order, held);
  }
  try {
    return await syncConsent(deps, patientId, consent);
  } catch (error) {
    return postpone(deps, order, error);
  }
}

/**
 * Carries a Consent through to the replica.
 *
 * @param deps - The run.
 * @param patientId - Its patient.
 * @param consent - `Consent/id`, for the trail.
 * @param asked - What the caller knows.
 * @returns What was done.
 * @throws Fault when either server cannot be reached, or when something is left that should be gone.
 */
export async function syncConsent(
  deps: Deps,
  patientId: string,
  consent: string,
  asked: AskedLook = {}
): Promise<Tally> {
  const startedAt = deps.clock.now();
  const { isLeaving, ...tally } = await syncPatient(deps, patientId, asked);
  if (tally.put + tally.withdrawn === 0) {
    return tally;
  }
  const link = await readLink(deps, patientId);
  const keyring = keyringOf(deps.config, patientId, link, deps.mint);
  const left = [];
  for (const token of isLeaving && tally.withdrawn > 0 ? liveTokens(link) : []) {
    left.push(...(await copiesOfPatient(deps, token)));
  }
  const details = {
    consent,
    put: String(tally.put),
    withdrawn: String(tally.withdrawn),
    history: deps.eraser ? 'expunged' : 'remains',
    found: String(left.length),
  };
  const frame = { patientId, keyring, startedAt, attempt: 1, type: 'FHIR_CONSENT' as const, details };
  if (left.length > 0) {
    await audit(deps, { ...frame, fault: 'erasure-incomplete' }, []);
    throw new Fault('erasure-incomplete');
  }
  await audit(deps, frame, []);
  return tally;
}
