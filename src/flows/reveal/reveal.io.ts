/** Shows an identified original to somebody who may see it, and writes down every ask, also a refused one. */
import type { AuditEvent, Resource } from '@medplum/fhirtypes';
import { accessEventOf } from '../../observability/access-trail.ts';
import type { AccessEvent } from '../../observability/access-trail.ts';
import { Fault } from '../../observability/fault.ts';
import type { Vault } from '../../ports.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import type { Deps } from '../deps.ts';
import type { Kept } from '../payload.ts';
import { gatherReveal } from './gather.io.ts';
import { readAsk } from './input.ts';
import type { Ask } from './input.ts';
import { judgeConsent, judgeList, judgeStanding } from './judge.ts';
import type { Asking, Judged, RevealRefusal } from './judge.ts';
import { brokenOf, brokenSearch, reasonLabel } from './list.ts';
import type { Broken } from './list.ts';

type RevealAsk = Exclude<Ask, { readonly kind: 'list' }>;

/** What the flow is given: the source, and no way to the replica. */
export interface RevealDeps extends Pick<Deps, 'config' | 'source' | 'clock' | 'log' | 'correlationId' | 'bot'> {
  /** Who asks, `Practitioner/id` and the like, as the platform says. */
  readonly requester: string | undefined;
  readonly vault: Vault | undefined;
}

/** What a run comes to, before it is written down. */
interface Outcome extends Judged {
  readonly patientId?: string | undefined;
  readonly original?: Resource;
  readonly decision?: Decision;
}

/**
 * Answers one ask.
 *
 * @param deps - The run.
 * @param input - What the caller sent.
 * @returns The original; or, for `{action: "list"}`, the times that the glass was broken.
 * @throws Fault `input-invalid`; `reveal-refused`, `payload-missing` or `payload-unreadable` with the reason as their detail.
 */
export async function reveal(
  deps: RevealDeps,
  input: unknown
): Promise<Resource | { readonly broken: readonly Broken[] }> {
  const ask = readAsk(input, deps.config.systems.dataClass);
  if ('problems' in ask) {
    await record(deps, { kind: 'invalid' }, { refusal: 'input-invalid' });
    throw new Fault('input-invalid', ask.problems);
  }
  if (ask.kind === 'list') {
    return list(deps);
  }
  const outcome = await decide(deps, ask);
  // What is not written down is not shown.
  await record(deps, ask, outcome);
  if (!outcome.original || outcome.refusal) {
    throw refused(outcome.refusal ?? 'no-payload');
  }
  return outcome.original;
}

async function decide(deps: RevealDeps, ask: RevealAsk): Promise<Outcome> {
  const asking = askingOf(deps);
  const facts = await gatherReveal(deps.source, deps.config.systems, ask.token, deps.requester);
  const { patientId, kept } = facts;
  const judged = judgeStanding(ask, facts, asking);
  if (judged.refusal || !kept) {
    return { ...judged, patientId };
  }
  if (!deps.vault) {
    return { ...judged, patientId, refusal: 'no-key' };
  }
  const original = await openOriginal(deps, kept);
  if (!original) {
    return { ...judged, patientId, refusal: 'unreadable' };
  }
  if (!judged.needsConsent) {
    return { ...judged, patientId, original };
  }
  const decision = judgeConsent(ask, facts, original, asking);
  return decision.decision === 'permit'
    ? { ...judged, patientId, original, decision }
    : { ...judged, patientId, refusal: `consent-${decision.reason}`, decision };
}

/** The Binary has to be the version that the source says it is, of this very record, under a key that we have. */
async function openOriginal(
  { source, vault }: RevealDeps,
  { binary, token, version }: Kept
): Promise<Resource | undefined> {
  const sealed = binary && (await source.load(binary));
  const text = sealed && version && vault?.open(sealed, { token, version });
  return text ? (JSON.parse(text) as Resource) : undefined;
}

async function list(deps: RevealDeps): Promise<{ readonly broken: readonly Broken[] }> {
  const { source, config, vault } = deps;
  const facts = await gatherReveal(source, config.systems, undefined, deps.requester);
  const judged = judgeList(facts, askingOf(deps));
  await record(deps, { kind: 'list' }, judged);
  if (judged.refusal) {
    throw refused(judged.refusal);
  }
  const page = await source.search(brokenSearch(config.systems));
  const events = (page.entry ?? []).flatMap(({ resource }) => (resource ? [resource as AuditEvent] : []));
  return { broken: events.map((event) => brokenOf(event, vault)) };
}

/** What could not be understood: nothing of it is written down, it may be anything. */
interface Invalid {
  readonly kind: 'invalid';
}

async function record(deps: RevealDeps, ask: Ask | Invalid, outcome: Outcome): Promise<void> {
  const { source, config, clock, correlationId, bot, requester, vault } = deps;
  const asked = ask.kind === 'list' || ask.kind === 'invalid' ? undefined : ask;
  const { decision } = outcome;
  const event: AccessEvent = {
    kind: ask.kind,
    correlationId,
    bot,
    requester,
    role: outcome.role,
    purpose: asked?.purpose,
    at: clock.now(),
    refusal: outcome.refusal,
    token: asked?.token,
    patientId: outcome.patientId,
    consent: decision?.consent && `Consent/${decision.consent.id}/_history/${decision.consent.versionId}`,
    path: decision?.path,
    sealedReason: asked && vault?.seal(asked.reason, reasonLabel(asked.token, correlationId)),
  };
  await source.record(accessEventOf(event, config.systems));
  const { token } = event;
  deps.log(event.refusal ? 'warn' : 'info', 'reveal-answered', {
    action: ask.kind,
    ...(token && { token }),
    ...(event.refusal && { reason: event.refusal }),
  });
}

function askingOf({ config, requester, clock }: RevealDeps): Asking {
  return { config, requester, at: new Date(clock.now()).toISOString() };
}

function refused(reason: RevealRefusal): Fault {
  switch (reason) {
    case 'no-payload':
    case 'unknown-token':
      return new Fault('payload-missing', [reason]);
    case 'unreadable':
      return new Fault('payload-unreadable', [reason]);
    default:
      return new Fault('reveal-refused', [reason]);
  }
}
