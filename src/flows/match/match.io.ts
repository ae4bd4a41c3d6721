/** Looks a patient up at the partner, once: as far as they consent, written down before anything is told, and with a person where it is not certain. */
import type { Consent, Patient, Task } from '@medplum/fhirtypes';
import { exportEventOf } from '../../observability/export-trail.ts';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import { evaluate } from '../../rules/consent/evaluate.ts';
import type { Candidate } from '../../rules/match/choose.ts';
import { isNamed } from '../../rules/match/named.ts';
import { demographicsOf, isEnough } from '../../rules/match/queries.ts';
import { partnerLink } from '../partner-link.ts';
import { readAll } from '../read-all.io.ts';
import type { MatchDeps } from './deps.ts';
import { lookUp } from './look-up.io.ts';
import { candidatesIn, failuresIn, outcomeIn, readsOf, taskOf, waitingSearch } from './task.ts';
import type { Outcome } from './task.ts';

/** By a try each quarter of an hour: five hours. */
const MOST_FAILURES = 20;

/** What came of it. */
export interface MatchAnswer {
  readonly result: Outcome | 'off' | 'gone' | 'from-partner' | 'insufficient' | 'denied' | 'known';
  /** Why it was denied: a code of the consent rules, or `partner-not-named`. */
  readonly reason?: string;
  readonly candidates?: readonly Candidate[];
}

/**
 * Looks a patient up.
 *
 * @param deps - The run.
 * @param patientId - A Patient of the source.
 * @param isAgain - Whether they are looked up though they were before; who is linked is not in any case.
 * @returns What came of it.
 * @throws Fault `source-*`. A partner that cannot be asked is asked again later.
 */
export async function match(deps: MatchDeps, patientId: string, isAgain = false): Promise<MatchAnswer> {
  const [answer, before] = await judged(deps, patientId, isAgain);
  if (before && ['gone', 'insufficient', 'denied'].includes(answer.result)) {
    await save(deps, { patientId, outcome: 'withdrawn', candidates: [] }, before);
  }
  deps.log('info', 'match-answered', { action: answer.result, ...(answer.reason && { reason: answer.reason }) });
  return answer;
}

/** The answer, and the Task that waits for one. */
async function judged(
  deps: MatchDeps,
  patientId: string,
  isAgain: boolean
): Promise<readonly [MatchAnswer, Task | undefined]> {
  const { source, config, partner } = deps;
  if (partner.match === 'off') {
    return [{ result: 'off' }, undefined];
  }
  const [patients = [], consents = [], tasks = [], links = [], organizations = []] = await readAll(
    source,
    readsOf(config.systems, patientId, partner.organizationId)
  );
  const patient = patients[0] as Patient | undefined;
  const before = tasks[0] as Task | undefined;
  const outcome = before && outcomeIn(config.systems, before);
  const waiting = outcome === 'waiting' ? before : undefined;
  const isOpen = before === undefined || isAgain || outcome === 'waiting' || outcome === 'withdrawn';
  if (!patient || patient.active === false || patient.link?.some(({ type }) => type === 'replaced-by')) {
    return [{ result: 'gone' }, waiting];
  }
  if (isFromPartner(deps, patient)) {
    return [{ result: 'from-partner' }, undefined];
  }
  if (links.length > 0 || !isOpen) {
    return [{ result: 'known' }, undefined];
  }
  const demographics = demographicsOf(patient, partner.identifierSystems);
  if (!isEnough(demographics)) {
    return [{ result: 'insufficient' }, waiting];
  }
  const decision = permitOf(deps, patient, consents as Consent[]);
  if ('reason' in decision) {
    return [{ result: 'denied', reason: decision.reason }, waiting];
  }
  if (!organizations.some((one) => one.resourceType === 'Organization' && one.active !== false)) {
    throw new Fault('settings-invalid', ['PARTNER_ORGANIZATION is no active Organization of the source']);
  }
  await recordDisclosure(deps, patientId, decision.consent);
  return [await ask(deps, patientId, demographics, before), undefined];
}

function permitOf(
  { config, partner, clock }: MatchDeps,
  patient: Patient,
  consents: readonly Consent[]
): { readonly consent: string } | { readonly reason: string } {
  const organization = `Organization/${partner.organizationId}`;
  const decision = evaluate(consents, {
    patient: `Patient/${patient.id}`,
    purpose: partner.purpose,
    actor: [organization],
    action: 'disclose',
    resource: patient,
    at: new Date(clock.now()).toISOString(),
    dataClassSystem: config.systems.dataClass,
  });
  if (decision.decision !== 'permit') {
    return { reason: decision.reason };
  }
  const { id, versionId } = decision.consent;
  const own = consents.find((consent) => consent.id === id);
  return own && isNamed(own, organization)
    ? { consent: `Consent/${id}/_history/${versionId}` }
    : { reason: 'partner-not-named' };
}

/** Before anything is told: a disclosure whose run dies is in the trail all the same. */
async function recordDisclosure(deps: MatchDeps, patientId: string, consent: string): Promise<void> {
  const { source, config, partner, clock, bot, correlationId } = deps;
  const at = clock.now();
  const event = exportEventOf(
    {
      kind: 'match',
      correlationId,
      bot,
      requester: `Organization/${partner.organizationId}`,
      role: undefined,
      purpose: partner.purpose,
      startedAt: at,
      at,
      refusal: undefined,
      patientId,
      token: undefined,
      resourceCount: 1,
      details: { what: 'demographics' },
      consents: [consent],
    },
    config.systems
  );
  await source.record(event);
}

async function ask(
  deps: MatchDeps,
  patientId: string,
  demographics: Patient,
  before: Task | undefined
): Promise<MatchAnswer> {
  let candidates: Candidate[];
  try {
    candidates = await lookUp(deps, demographics);
  } catch (error) {
    const code = faultCodeOf(error);
    if (!code?.startsWith('partner-')) {
      throw error;
    }
    const failures = failuresIn(deps.config.systems, before) + 1;
    const isOver = code === 'partner-rejected' || failures >= MOST_FAILURES;
    return save(deps, { patientId, outcome: isOver ? 'failed' : 'waiting', candidates: [], failures }, before);
  }
  const [first] = candidates;
  if (first?.grade === 'certain' && (await link(deps, patientId, first.id, 'match'))) {
    return save(deps, { patientId, outcome: 'linked', candidates: [first] }, before);
  }
  return save(deps, { patientId, outcome: first ? 'candidates' : 'none', candidates }, before);
}

/** False when the partner's patient is somebody else's already: then a person looks at both. */
async function link(
  { source, config, partner }: MatchDeps,
  patientId: string,
  partnerId: string,
  by: 'match' | 'person'
): Promise<boolean> {
  const basic = partnerLink(config.systems, partner.organizationId, partnerId, { patientId, by });
  const there = await source.ensure(basic);
  return there.subject?.reference === basic.subject?.reference;
}

async function save(
  { source, config, partner, clock }: MatchDeps,
  lookedUp: {
    readonly patientId: string;
    readonly outcome: Outcome;
    readonly candidates: readonly Candidate[];
    readonly failures?: number;
  },
  before: Task | undefined
): Promise<MatchAnswer> {
  const at = new Date(clock.now()).toISOString();
  const task = taskOf(config.systems, { ...lookedUp, fhirUrl: partner.fhirUrl, at }, before);
  if (before) {
    // Whoever was faster has asked the same.
    await source.change([task]);
  } else {
    await source.enlist(task);
  }
  return { result: lookedUp.outcome, candidates: lookedUp.candidates };
}

/**
 * @param deps - The run.
 * @param patient - A Patient of the source, in any version.
 * @returns Whether the partner is where they came from.
 */
export function isFromPartner({ config, partner }: MatchDeps, { meta }: Patient): boolean {
  return meta?.source === `${config.systems.ingestSender}/${partner.organizationId}`;
}

/**
 * Each quarter of an hour: those whom the partner could not be asked about.
 *
 * @param deps - The run.
 * @returns How many were looked up.
 * @throws Fault `source-*`.
 */
export async function retry(deps: MatchDeps): Promise<{ readonly lookedUp: number }> {
  const { source, config, clock } = deps;
  const { entry = [] } = await source.search(waitingSearch(config.systems));
  let lookedUp = 0;
  for (const { resource } of entry) {
    const patientId = (resource as Task | undefined)?.for?.reference?.split('/')[1];
    if (patientId === undefined || clock.now() >= deps.deadlineAt) {
      continue;
    }
    lookedUp++;
    const { result } = await match(deps, patientId);
    if (result === 'waiting') {
      break;
    }
  }
  return { lookedUp };
}

/**
 * What a person has decided.
 *
 * @param deps - The run.
 * @param patientId - A Patient of the source.
 * @param candidate - The id of the partner's Patient who they are; undefined for none of those who were shown.
 * @returns What came of it.
 * @throws Fault `input-invalid` when that is not to be decided; `contention`; `source-*`.
 */
export async function decide(deps: MatchDeps, patientId: string, candidate: string | undefined): Promise<MatchAnswer> {
  const { source, config } = deps;
  const [, , tasks = []] = await readAll(source, readsOf(config.systems, patientId, deps.partner.organizationId));
  const before = tasks[0] as Task | undefined;
  const shown = before ? candidatesIn(before) : [];
  if (!before || before.status !== 'requested') {
    throw new Fault('input-invalid', ['there is nothing to decide about this patient']);
  }
  if (candidate === undefined) {
    return save(deps, { patientId, outcome: 'rejected', candidates: shown }, before);
  }
  const chosen = shown.find(({ id }) => id === candidate);
  if (!chosen) {
    throw new Fault('input-invalid', ['candidate is none of those who were shown']);
  }
  if (!(await link(deps, patientId, candidate, 'person'))) {
    throw new Fault('input-invalid', ['candidate is linked to another patient']);
  }
  return save(deps, { patientId, outcome: 'confirmed', candidates: [chosen] }, before);
}
