/** The only place that builds adapters: settings are judged, ports are joined, and one flow is run under one deadline. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import type { AuditEvent } from '@medplum/fhirtypes';
import { randomBytes, randomUUID } from 'node:crypto';
import manifest from '../../bots.config.json' with { type: 'json' };
import { load } from '../config/load.ts';
import type { Config } from '../config/load.ts';
import { loadPartner } from '../config/partner.ts';
import type { Partner } from '../config/partner.ts';
import type { Asked } from '../flows/admin/administer.io.ts';
import type { MirrorDeps } from '../flows/audit/deps.ts';
import type { Deps } from '../flows/deps.ts';
import type { ExportDeps } from '../flows/export/export.io.ts';
import type { PullDeps } from '../flows/ingest/pull/deps.ts';
import type { HealthDeps } from '../flows/health/health.io.ts';
import type { ResearchDeps } from '../flows/research/advance.io.ts';
import type { RevealDeps } from '../flows/reveal/reveal.io.ts';
import { withMac } from '../observability/event-mac.ts';
import { systemClock } from '../observability/clock.io.ts';
import { Fault, faultCodeOf, outcomeOf } from '../observability/fault.ts';
import { consoleLog } from '../observability/log.io.ts';
import { signerOf } from '../observability/signer.ts';
import type { Signer } from '../observability/signer.ts';
import type { Log, Random, SourceFhir } from '../ports.ts';
import { botsOf } from '../remote/bots.io.ts';
import { replicaClient } from '../remote/client.io.ts';
import { replicaEraser } from '../remote/eraser.io.ts';
import { payloadSealer, payloadVault } from '../remote/jwe.io.ts';
import { partnerClient } from '../remote/partner.io.ts';
import { replicaProbe } from '../remote/probe.io.ts';
import type { Parts } from '../remote/requests.io.ts';
import { sourceClient } from '../remote/source.io.ts';
import { carryToken } from '../remote/token-cache.io.ts';
import { placeSealing } from '../remote/token-seal.io.ts';
import { replicaTrail } from '../remote/trail.io.ts';
import { within } from '../remote/within.io.ts';
import { triggerOf } from './trigger.ts';
import type { Trigger } from './trigger.ts';

export type BotName =
  | 'sync-change'
  | 'consent-changed'
  | 'sweep'
  | 'health'
  | 'reveal'
  | 'export'
  | 'gateway'
  | 'research-export'
  | 'admin'
  | 'explain'
  | 'consent-form'
  | 'mirror-audit'
  | 'retain-audit'
  | 'ingest'
  | 'retry-jobs'
  | 'reconcile'
  | 'metrics'
  | 'status'
  | 'pull-partner'
  | 'match-patient';

/** What is left of a bot's time when it stops beginning new items, and when it stops waiting for answers: what has begun may end. */
const MARGIN_MS = 10_000;
const LAST_ANSWER_MS = 2000;

const chance: Random = { unit: () => Math.random(), uuid: () => randomUUID() };

/** What a bot answers to a deployment that asks which code runs. */
export interface Version {
  readonly bot: BotName;
  readonly version: string;
}

/**
 * Runs one flow for one bot.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - The event.
 * @param work - The flow.
 * @returns What the flow returns; `{ off: true }` when SYNC_ENABLED is false; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI: a thrown Error would lose its code (`platform.md`, preface).
 */
export async function run<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: Deps, trigger: Trigger) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  return runWith(name, medplum, event, ({ deps, trigger }) => work(deps, trigger));
}

/**
 * Runs a flow of the trail: it reads the replica's AuditEvents as well, and may sign.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - A cron tick or an `$execute` call.
 * @param work - The flow; it gets what the caller sent.
 * @returns As `run`.
 * @throws A plain OperationOutcome without PHI.
 */
export async function runAudit<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: MirrorDeps, input: unknown) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  return runWith(name, medplum, event, ({ deps, trigger, parts, signer }) =>
    work(
      { ...deps, trail: replicaTrail(deps.config, parts), signer, requester: event.requester?.reference },
      trigger.kind === 'request' ? trigger.input : undefined
    )
  );
}

/** What a run is made of. */
interface Assembled {
  readonly deps: Deps;
  readonly trigger: Trigger;
  readonly parts: Parts;
  readonly signer: Signer | undefined;
}

async function runWith<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (assembled: Assembled) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  return guarded(name, event, async (log, correlationId) => {
    const config = configOf(event);
    if (!config.syncEnabled) {
      log('info', 'sync-is-off', { bot: name });
      return { off: true };
    }
    const endsAt = systemClock.now() + timeoutMsOf(name);
    const parts = { clock: systemClock, random: chance, deadlineAt: endsAt - LAST_ANSWER_MS };
    const { source, cache } = carryToken(sourceOf(medplum, config), config, systemClock);
    const replica = replicaClient(config, { ...parts, tokenCache: cache });
    const bot = event.bot.reference ?? 'Bot/unknown';
    const eraser = replicaEraser(config, parts);
    const vault = config.payloadKey && payloadSealer(config.payloadKey);
    const deps: Deps = {
      config,
      source,
      replica,
      eraser,
      vault,
      mint: () => randomBytes(32).toString('hex'),
      probe: replicaProbe(config, { clock: systemClock, unique: () => chance.uuid() }),
      clock: systemClock,
      random: chance,
      log,
      correlationId,
      bot,
      deadlineAt: endsAt - MARGIN_MS,
    };
    const signer = config.audit.seed === undefined ? undefined : signerOf(config.audit.seed);
    return work({ deps, trigger: triggerOf(event.input), parts: { ...parts, tokenCache: cache }, signer });
  });
}

/** The source, where every event of ours gets its keyed hash before it is written. */
function sourceOf(medplum: MedplumClient, { systems, audit }: Config): SourceFhir {
  const key = audit.seed === undefined ? undefined : signerOf(audit.seed).mac;
  const mark = (event: AuditEvent): AuditEvent => (key ? withMac(event, systems, key) : event);
  const source = sourceClient(medplum, { clock: systemClock, random: chance, mark });
  return { ...source, record: (event) => source.record(mark(event)) };
}

/**
 * Runs a flow that has to work when others cannot: without settings, with sync off, without a replica.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - An `$execute` call.
 * @param work - The flow; it gets what the caller sent.
 * @returns What the flow returns; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI.
 */
export async function diagnose<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: HealthDeps, input: unknown) => Promise<T>
): Promise<T | Version> {
  return guarded(name, event, async () => {
    const loaded = load(event.secrets ?? {});
    const trigger = triggerOf(event.input);
    const deps: HealthDeps = {
      loaded,
      source: sourceClient(medplum, { clock: systemClock, random: chance }),
      replica:
        'config' in loaded
          ? replicaProbe(loaded.config, { clock: systemClock, unique: () => chance.uuid() })
          : undefined,
      clock: systemClock,
      within: (ms, wait) => within(systemClock, ms, wait, () => new Fault('deadline')),
    };
    return work(deps, trigger.kind === 'request' ? trigger.input : undefined);
  });
}

/**
 * Runs a flow that answers a person out of the source: it has no way to the replica.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - An `$execute` call.
 * @param work - The flow; it gets what the caller sent.
 * @returns What the flow returns; `{ off: true }` when SYNC_ENABLED is false; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI.
 */
export async function attend<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: RevealDeps, input: unknown) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  return guarded(name, event, async (log, correlationId) => {
    const config = configOf(event);
    if (!config.syncEnabled) {
      log('info', 'sync-is-off', { bot: name });
      return { off: true };
    }
    const trigger = triggerOf(event.input);
    const deps: RevealDeps = {
      config,
      source: sourceOf(medplum, config),
      vault: config.payloadKey && payloadVault(config.payloadKey),
      clock: systemClock,
      log,
      correlationId,
      bot: event.bot.reference ?? 'Bot/unknown',
      requester: event.requester?.reference,
    };
    return work(deps, trigger.kind === 'request' ? trigger.input : undefined);
  });
}

/**
 * Runs a flow that changes what is consented and asked for, also while sync is off: it has no way to the replica, but to the other bots.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - An `$execute` call, or an event.
 * @param work - The flow; it gets what started it.
 * @returns What the flow returns; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI.
 */
export async function command<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: Asked, trigger: Trigger) => Promise<T>
): Promise<T | Version> {
  return guarded(name, event, async (log, correlationId) => {
    const config = configOf(event);
    const deps: Asked = {
      config,
      source: sourceOf(medplum, config),
      bots: botsOf(medplum, config.systems),
      clock: systemClock,
      log,
      correlationId,
      bot: event.bot.reference ?? 'Bot/unknown',
      requester: event.requester?.reference,
      deadlineAt: systemClock.now() + timeoutMsOf(name) - MARGIN_MS,
    };
    return work(deps, triggerOf(event.input));
  });
}

/**
 * Runs a flow that shows copies of the replica to whoever may see them.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - An `$execute` call, or one of an operation.
 * @param work - The flow; it gets what the caller sent.
 * @returns What the flow returns; `{ off: true }` when SYNC_ENABLED is false; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI.
 */
export async function show<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: ExportDeps, input: unknown) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  return run(name, medplum, event, async (deps, trigger) =>
    work(
      { ...deps, requester: event.requester?.reference },
      trigger.kind === 'request' ? trigger.input : 'resource' in trigger ? trigger.resource : undefined
    )
  );
}

/**
 * Runs a flow that deals with the partner: it has no way to the replica.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - Anything.
 * @param work - The flow; it gets what started it, and what the actions of an ADMIN need.
 * @returns What the flow returns; `{ off: true }` when SYNC_ENABLED is false or no partner is set; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI.
 */
export async function withPartner<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: PullDeps, trigger: Trigger, asked: Asked) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  return command(name, medplum, event, async (asked, trigger) => {
    const partner = partnerOf(event, asked.config);
    if (!partner || !asked.config.syncEnabled) {
      asked.log('info', 'sync-is-off', { bot: name });
      return { off: true };
    }
    const deadlineAt = asked.deadlineAt + MARGIN_MS - LAST_ANSWER_MS;
    const deps: PullDeps = {
      ...asked,
      partner,
      fhir: partnerClient(partner, { clock: systemClock, random: chance, deadlineAt }),
      sealing: placeSealing(asked.config.key.secret),
    };
    return work(deps, trigger, asked);
  });
}

/** @throws Fault `settings-invalid` with all the problems of the partner's settings. */
function partnerOf(event: BotEvent, { production }: Config): Partner | undefined {
  const loaded = loadPartner(event.secrets ?? {}, production);
  if (loaded && 'problems' in loaded) {
    throw new Fault('settings-invalid', loaded.problems);
  }
  return loaded?.partner;
}

/**
 * Runs a flow that hands out cohorts: it seals its files under keys of its own.
 *
 * @param name - The bot, as in `bots.config.json`.
 * @param medplum - The client that the platform gives.
 * @param event - A cron tick or an `$execute` call.
 * @param work - The flow; it gets what started it.
 * @returns What the flow returns; `{ off: true }` when SYNC_ENABLED is false; bot and version when asked for them.
 * @throws A plain OperationOutcome without PHI.
 */
export async function research<T>(
  name: BotName,
  medplum: MedplumClient,
  event: BotEvent,
  work: (deps: ResearchDeps, trigger: Trigger) => Promise<T>
): Promise<T | { readonly off: true } | Version> {
  const more = {
    requester: event.requester?.reference,
    endpoint: medplum.fhirUrl('Bot', '$execute').href,
    vaultOf: (secret: string) => payloadVault({ version: 1, secret, previous: undefined }),
  };
  return run(name, medplum, event, (deps, trigger) => work({ ...deps, ...more }, trigger));
}

/** @throws Fault `settings-invalid` with all the problems. */
function configOf(event: BotEvent): Config {
  const loaded = load(event.secrets ?? {});
  if ('problems' in loaded) {
    throw new Fault('settings-invalid', loaded.problems);
  }
  return loaded.config;
}

/** Answers the version probe; turns every error into an outcome that may be stored. */
async function guarded<T>(
  name: BotName,
  event: BotEvent,
  work: (log: Log, correlationId: string) => Promise<T>
): Promise<T | Version> {
  if (isVersionProbe(event.input)) {
    return { bot: name, version: __VERSION__ };
  }
  const correlationId = chance.uuid();
  const log = consoleLog(systemClock, correlationId);
  try {
    return await work(log, correlationId);
  } catch (error) {
    log('error', 'run-failed', { bot: name, fault: faultCodeOf(error) ?? 'unexpected' });
    throw outcomeOf(error);
  }
}

/** Asked by a deployment, on a project that may have no settings yet: is the code that runs the code that was sent? */
function isVersionProbe(input: unknown): boolean {
  return (input as { probe?: unknown } | null | undefined)?.probe === 'version';
}

function timeoutMsOf(name: BotName): number {
  const bot = manifest.bots.find((row) => row.name === name);
  return (bot?.timeoutSeconds ?? 60) * 1000;
}
