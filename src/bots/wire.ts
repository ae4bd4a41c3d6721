/** The only place that builds adapters: settings are judged, ports are joined, and one flow is run under one deadline. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { randomUUID } from 'node:crypto';
import manifest from '../../bots.config.json' with { type: 'json' };
import { load } from '../config/load.ts';
import type { Deps } from '../flows/deps.ts';
import { systemClock } from '../observability/clock.io.ts';
import { Fault, faultCodeOf, outcomeOf } from '../observability/fault.ts';
import { consoleLog } from '../observability/log.io.ts';
import type { Random } from '../ports.ts';
import { replicaClient } from '../remote/client.io.ts';
import { sourceClient } from '../remote/source.io.ts';
import { triggerOf } from './trigger.ts';
import type { Trigger } from './trigger.ts';

export type BotName = 'sync-change' | 'consent-changed' | 'sweep';

/** What is left of a bot's time when it stops beginning new items. */
const MARGIN_MS = 8000;

const chance: Random = { unit: () => Math.random(), uuid: () => randomUUID() };

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
): Promise<T | { readonly off: true } | { readonly bot: BotName; readonly version: string }> {
  if (isVersionProbe(event.input)) {
    return { bot: name, version: __VERSION__ };
  }
  const correlationId = chance.uuid();
  const log = consoleLog(systemClock, correlationId);
  try {
    const loaded = load(event.secrets ?? {});
    if ('problems' in loaded) {
      throw new Fault('settings-invalid', loaded.problems);
    }
    const { config } = loaded;
    if (!config.syncEnabled) {
      log('info', 'sync-is-off', { bot: name });
      return { off: true };
    }
    const parts = { clock: systemClock, random: chance, deadlineAt: systemClock.now() + timeoutMsOf(name) - MARGIN_MS };
    const source = sourceClient(medplum, parts);
    const replica = replicaClient(config, parts);
    const bot = event.bot.reference ?? 'Bot/unknown';
    return await work({ config, source, replica, clock: systemClock, log, correlationId, bot, deadlineAt: parts.deadlineAt }, triggerOf(event.input));
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
