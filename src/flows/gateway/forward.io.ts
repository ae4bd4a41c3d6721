/** The seeds' proxy, as far as it belongs on the server: requests to the replica with the managed token, by role and consent, each written down. */
import { exportEventOf } from '../../observability/export-trail.ts';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import { mayBrowse, mayPass, purposeOf } from '../../rules/access/gateway.ts';
import type { Role } from '../../rules/access/role.ts';
import type { Deps } from '../deps.ts';
import { liveTokens } from '../link.ts';
import { gatherStanding } from '../standing.io.ts';
import { organizationsOf, requesterOf } from '../standing.ts';
import type { StandingFacts } from '../standing.ts';
import { gatherPeople, passOn } from './gather.io.ts';
import { readGateway } from './input.ts';
import type { GatewayAsk } from './input.ts';
import { nothingPermitted, shownOf } from './people.ts';
import type { Judging } from './people.ts';
import { answerOf } from './present.ts';
import type { GatewayAnswer } from './present.ts';

export interface GatewayDeps extends Pick<
  Deps,
  'config' | 'source' | 'replica' | 'clock' | 'log' | 'correlationId' | 'bot'
> {
  /** Who asks, as the platform says. */
  readonly requester: string | undefined;
}

/** What a run comes to, before it is written down. */
interface Outcome {
  readonly refusal?: string;
  readonly role?: Role | undefined;
  readonly patientId?: string | undefined;
  readonly token?: string | undefined;
  readonly ask?: GatewayAsk;
  readonly answer?: GatewayAnswer;
  readonly count?: number;
  readonly withheld?: number;
  readonly consents?: readonly string[];
}

/** An answer of `$execute` is one JSON text in memory, several times over. */
const MAX_ANSWER_CHARACTERS = 4_000_000;

/**
 * Answers one request.
 *
 * @param deps - The run.
 * @param input - `{method, path}`.
 * @returns Status and body: copies of records that this requester may see.
 * @throws Fault `input-invalid`; `gateway-refused` with the reason as its first detail; `source-*` or `replica-*` when either cannot be read.
 */
export async function forward(deps: GatewayDeps, input: unknown): Promise<GatewayAnswer> {
  const startedAt = deps.clock.now();
  const ask = readGateway(input);
  if ('refusal' in ask) {
    const { refusal, problems } = ask;
    await record(deps, startedAt, { refusal });
    throw refusal === 'input-invalid'
      ? new Fault(refusal, problems)
      : new Fault('gateway-refused', [refusal, ...problems]);
  }
  const outcome = await decide(deps, ask).catch(async (error: unknown) => {
    await record(deps, startedAt, { ask, refusal: faultCodeOf(error) ?? 'unexpected' }, true);
    throw error;
  });
  // What is not written down is not shown.
  await record(deps, startedAt, outcome);
  if (!outcome.answer) {
    throw new Fault('gateway-refused', [outcome.refusal ?? 'no-role']);
  }
  return outcome.answer;
}

async function decide(deps: GatewayDeps, ask: GatewayAsk): Promise<Outcome> {
  const { config, source, clock } = deps;
  const at = new Date(clock.now()).toISOString();
  const named = ask.patientToken === undefined ? undefined : { token: ask.patientToken };
  const facts = await gatherStanding(source, config.systems, named, deps.requester);
  const requester = requesterOf(facts, config, { requester: deps.requester, at });
  const judging: Judging = { config, requester, at };
  const about = { ask, patientId: facts.patient?.id, ...(ask.patientToken && { token: ask.patientToken }) };
  const standing = standingOf(facts, ask, judging);
  if (standing.refusal !== undefined || standing.role === undefined) {
    return { ...about, ...standing };
  }
  return { ...about, role: standing.role, ...(await fetchCopies(deps, ask, facts, judging)) };
}

/** Who has no standing learns nothing of whether the patient exists. */
function standingOf(
  facts: StandingFacts,
  { patientToken }: GatewayAsk,
  judging: Judging
): { readonly role?: Role; readonly refusal?: string } {
  const { config, requester, at } = judging;
  const setting = { roleSystem: config.systems.role, at };
  if (patientToken === undefined) {
    const role = mayBrowse(requester, setting);
    return role ? { role } : { refusal: 'no-role' };
  }
  const { patient, consents } = facts;
  const standing = mayPass(requester, { ...setting, patientId: patient?.id }, organizationsOf(patient));
  if (!standing.ok) {
    return { refusal: standing.reason, ...(standing.role && { role: standing.role }) };
  }
  const { role } = standing;
  if (!patient?.id) {
    return { role, refusal: 'unknown-patient' };
  }
  const denied = nothingPermitted({ patient: { ...patient, id: patient.id }, consents }, role, judging);
  return denied ? { role, refusal: `consent-${denied.reason}` } : { role };
}

async function fetchCopies(
  { config, source, replica }: GatewayDeps,
  ask: GatewayAsk,
  facts: StandingFacts,
  judging: Judging
): Promise<Outcome> {
  const { systems } = config;
  const tokens = ask.patientToken === undefined ? undefined : liveTokens(facts.link);
  const found = await passOn(replica, systems, ask, tokens);
  const people = await gatherPeople(source, systems, found);
  const matches = shownOf(found.matches, people, judging);
  const included = shownOf(found.included, people, judging);
  const copies = (shown: typeof matches): (typeof found.matches)[number][] => shown.map(({ copy }) => copy);
  const answer = answerOf(ask, copies(matches), copies(included), found.hasMore, config.replica.fhirUrl);
  const shown = [...matches, ...included];
  const seen = {
    count: shown.length,
    withheld: found.matches.length + found.included.length - shown.length,
    consents: consentsOf(shown),
  };
  return JSON.stringify(answer).length > MAX_ANSWER_CHARACTERS
    ? { ...seen, count: 0, refusal: 'answer-too-large' }
    : { ...seen, answer };
}

function consentsOf(shown: ReturnType<typeof shownOf>): string[] {
  const names = shown.flatMap(({ decision: { consent } }) =>
    consent ? [`Consent/${consent.id}/_history/${consent.versionId}`] : []
  );
  return [...new Set(names)];
}

async function record(deps: GatewayDeps, startedAt: number, outcome: Outcome, hasFailed = false): Promise<void> {
  const { source, config, clock, correlationId, bot, requester, log } = deps;
  const { refusal, token, role, ask, count = 0, withheld } = outcome;
  await source.record(
    exportEventOf(
      {
        kind: 'gateway',
        correlationId,
        bot,
        requester,
        role,
        purpose: role ? purposeOf(role, config.consent.purpose) : config.consent.purpose,
        startedAt,
        at: clock.now(),
        refusal,
        hasFailed,
        patientId: outcome.patientId,
        token,
        resourceCount: count,
        details: {
          ...(ask && { interaction: ask.interaction, resourceType: ask.type }),
          // Names only: a value is the caller's, and may say anything about anybody.
          ...(ask?.query.length && { parameters: ask.query.map(([name]) => name).join(' ') }),
          ...(withheld !== undefined && { withheld: String(withheld) }),
        },
        consents: outcome.consents ?? [],
      },
      config.systems
    )
  );
  log(refusal ? 'warn' : 'info', 'gateway-answered', {
    ...(token && { token }),
    ...(refusal && { reason: refusal }),
    put: count,
  });
}
