/** The seeds' `$everything`: what the replica holds of one patient, to somebody who may see it; every ask is written down. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { exportEventOf } from '../../observability/export-trail.ts';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import type { Role } from '../../rules/access/role.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import type { Deps } from '../deps.ts';
import { keyringOf } from '../keyring.ts';
import { liveTokens } from '../link.ts';
import { gatherStanding } from '../standing.io.ts';
import type { Asker, StandingFacts } from '../standing.ts';
import { copiesOf, recordsOf } from './gather.io.ts';
import { readExport } from './input.ts';
import type { ExportAsk } from './input.ts';
import { gateOf, judgeStanding } from './judge.ts';
import type { Gate } from './judge.ts';
import { pageOf, select } from './present.ts';

export interface ExportDeps extends Pick<
  Deps,
  'config' | 'source' | 'replica' | 'clock' | 'log' | 'correlationId' | 'bot' | 'mint'
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
  readonly bundle?: Bundle;
  readonly consents?: readonly string[];
}

/**
 * Answers one ask.
 *
 * @param deps - The run.
 * @param input - `{patient, start, end, type, _count, _offset}`, or the same as Parameters.
 * @returns A searchset: the de-identified copies of records about which the Consents permit this requester to know.
 * @throws Fault `input-invalid`; `export-refused` with the reason as its detail; `source-*` or `replica-*` when either cannot be read.
 */
export async function exportEverything(deps: ExportDeps, input: unknown): Promise<Bundle> {
  const startedAt = deps.clock.now();
  const ask = readExport(input);
  if ('problems' in ask) {
    await record(deps, startedAt, { refusal: 'input-invalid' });
    throw new Fault('input-invalid', ask.problems);
  }
  const outcome = await decide(deps, ask).catch(async (error: unknown) => {
    await record(deps, startedAt, { refusal: faultCodeOf(error) ?? 'unexpected' }, true);
    throw error;
  });
  // What is not written down is not shown.
  await record(deps, startedAt, outcome);
  if (!outcome.bundle) {
    const details = [outcome.refusal ?? 'no-role', ...(outcome.refusal === 'researcher' ? [BULK] : [])];
    throw new Fault('export-refused', details);
  }
  return outcome.bundle;
}

const BULK = 'research uses the bulk export of cohorts';

async function decide(deps: ExportDeps, ask: ExportAsk): Promise<Outcome> {
  const { config, source, clock, requester } = deps;
  const asker: Asker = { requester, at: new Date(clock.now()).toISOString() };
  const facts = await gatherStanding(source, config.systems, ask.patient, requester);
  const standing = judgeStanding(facts, config, asker);
  const named = 'token' in ask.patient ? { token: ask.patient.token } : { token: liveTokens(facts.link)[0] };
  const about = { role: standing.role, patientId: facts.patient?.id, ...named };
  if (standing.refusal !== undefined) {
    return { ...about, refusal: standing.refusal };
  }
  const gate = gateOf(facts, config, asker, standing.role);
  if (gate.missing) {
    return { ...about, refusal: `consent-${gate.missing.reason}`, consents: consentsOf([gate.missing]) };
  }
  return { ...about, ...(await fetchCopies(deps, ask, facts, gate)) };
}

async function fetchCopies(
  { config, source, replica, mint }: ExportDeps,
  ask: ExportAsk,
  facts: StandingFacts,
  gate: Gate
): Promise<Outcome> {
  const { systems } = config;
  const patientId = facts.patient?.id ?? '';
  const records = await recordsOf(source, patientId, ask.types);
  const decisions = records.map((one) => [one, gate.decide(one)] as const);
  const seen = decisions.filter(([, { decision }]) => decision === 'permit');
  const { keys, former } = keyringOf(config, patientId, facts.link, mint);
  const tokensOf = ({ resourceType, id = '' }: Resource): string[] =>
    [keys, ...(former ? [former] : [])].map((one) =>
      resourceType === 'Patient' ? one.patientToken : one.token(resourceType, id)
    );
  const tokens = liveTokens(facts.link);
  const copies = await copiesOf(replica, systems, tokens, ask.types);
  const selected = select(copies, new Set(seen.flatMap(([one]) => tokensOf(one))), ask);
  return {
    bundle: pageOf(selected, ask, tokens[0] ?? '', config.replica.fhirUrl),
    consents: consentsOf(seen.map(([, decision]) => decision)),
  };
}

function consentsOf(decisions: readonly Decision[]): string[] {
  const names = decisions.flatMap(({ consent }) =>
    consent ? [`Consent/${consent.id}/_history/${consent.versionId}`] : []
  );
  return [...new Set(names)];
}

async function record(deps: ExportDeps, startedAt: number, outcome: Outcome, hasFailed = false): Promise<void> {
  const { source, config, clock, correlationId, bot, requester, log } = deps;
  const { refusal, token, bundle } = outcome;
  const resourceCount = bundle?.entry?.length ?? 0;
  await source.record(
    exportEventOf(
      {
        kind: 'everything',
        correlationId,
        bot,
        requester,
        role: outcome.role,
        purpose: config.consent.purpose,
        startedAt,
        at: clock.now(),
        refusal,
        hasFailed,
        patientId: outcome.patientId,
        token,
        resourceCount,
        consents: outcome.consents ?? [],
      },
      config.systems
    )
  );
  log(refusal ? 'warn' : 'info', 'export-answered', {
    ...(token && { token }),
    ...(refusal && { reason: refusal }),
    put: resourceCount,
  });
}
