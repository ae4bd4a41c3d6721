/** Writes and takes back Consents of the simple model. What follows from them, the bot `consent-changed` does. */
import type { Consent } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';
import { consentOf, GRANTABLE, grantedBy, problemsOf, revokedFrom } from '../../rules/consent/simple.ts';
import type { Grant } from '../../rules/consent/simple.ts';
import type { AdminDeps } from '../action.ts';
import { consentsOf, stateOf } from './state.io.ts';
import type { ConsentState } from './state.io.ts';

/** Somebody else's change in between is read again that often. */
const TRIES = 3;

/** What was done, and what is true now. */
export interface Changed extends ConsentState {
  readonly changed: readonly { readonly consent: string; readonly result: string }[];
  readonly problems: readonly string[];
}

type Wanted = Omit<Grant, 'patient' | 'at'>;

/** What a grant may say, each with what is wrong when it is; nothing of it is repeated. */
const FIELDS: Readonly<Record<keyof Wanted, string>> = {
  classes: `classes must be among ${GRANTABLE.join(', ')}`,
  until: 'until must be a FHIR date, such as 2026-12-31',
  purpose: 'purpose must be a code of v3-ActReason, such as TREAT or HRESCH, or CARE',
  actors: 'actors must be references, such as Organization/1',
};

/**
 * Grants.
 *
 * @param deps - The run; its correlation id is the identifier of the Consent, so that a repeated write makes no second one.
 * @param patientId - The patient.
 * @param wanted - What is granted.
 * @param isDryRun - True to write nothing.
 * @returns What was written, and what the Consents permit now.
 * @throws Fault `input-invalid`
 */
export async function grant(deps: AdminDeps, patientId: string, wanted: Wanted, isDryRun: boolean): Promise<Changed> {
  const { source, config, clock, correlationId } = deps;
  const problems = Object.entries(FIELDS).flatMap(([name, problem]) =>
    problemsOf({ patient: '', [name]: wanted[name as keyof Wanted] }).length > 0 ? [problem] : []
  );
  if (problems.length > 0) {
    throw new Fault('input-invalid', problems);
  }
  if (isDryRun) {
    return changedTo(deps, patientId, [{ consent: 'a new Consent', result: 'would be written' }]);
  }
  const at = new Date(clock.now()).toISOString();
  const consent: Consent = {
    ...consentOf({ ...wanted, patient: `Patient/${patientId}`, at }, config.systems.dataClass),
    identifier: [{ system: config.systems.correlation, value: correlationId }],
  };
  const { id } = await source.ensureConsent(consent);
  return changedTo(deps, patientId, [{ consent: `Consent/${id}`, result: 'written' }]);
}

/**
 * Revokes what was granted by the simple model; the resources stay and keep their history.
 *
 * @param deps - The run.
 * @param patientId - The patient.
 * @param classes - What is taken back; everything by default.
 * @param isDryRun - True to write nothing.
 * @returns What was changed, what the Consents permit now, and as a problem what is still permitted although it was to end.
 * @throws Fault `contention` when others keep changing the same Consent.
 */
export async function revoke(
  deps: AdminDeps,
  patientId: string,
  classes: readonly string[] | undefined,
  isDryRun: boolean
): Promise<Changed> {
  const done = new Map<string, string>();
  let isSettled = false;
  for (let tries = 0; !isSettled && tries < TRIES; tries++) {
    isSettled = true;
    for (const next of await withdrawals(deps, patientId, classes)) {
      const result = next.status === 'inactive' ? 'inactive' : 'narrowed';
      if (isDryRun) {
        done.set(`Consent/${next.id}`, `would be ${result}`);
      } else if (await deps.source.replaceConsent(next)) {
        done.set(`Consent/${next.id}`, result);
      } else {
        isSettled = false;
      }
    }
  }
  if (!isSettled) {
    throw new Fault('contention');
  }
  const state = await changedTo(
    deps,
    patientId,
    [...done].map(([consent, result]) => ({ consent, result }))
  );
  const left = state.classes.filter((row) => row.decision === 'permit' && (!classes || classes.includes(row.class)));
  const problem = `Still permitted: ${left.map((row) => row.class).join(', ')}. These Consents have provisions of their own; set them inactive, or write an active one with provision.type deny.`;
  return isDryRun || left.length === 0 ? state : { ...state, problems: [problem] };
}

async function withdrawals(
  deps: AdminDeps,
  patientId: string,
  classes: readonly string[] | undefined
): Promise<Consent[]> {
  const { dataClass } = deps.config.systems;
  return (await consentsOf(deps, patientId)).flatMap(
    (consent) => (grantedBy(consent, dataClass) && revokedFrom(consent, classes)) ?? []
  );
}

async function changedTo(deps: AdminDeps, patientId: string, changed: Changed['changed']): Promise<Changed> {
  return { changed, ...(await stateOf(deps, patientId)), problems: [] };
}
