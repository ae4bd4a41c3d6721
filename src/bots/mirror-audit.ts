/** Each night, or when asked: seal the days that are over, and copy the replica's AuditEvents into the source. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { mirror } from '../flows/audit/mirror.io.ts';
import { sealDays } from '../flows/audit/seal.io.ts';
import { runAudit } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick or an `$execute` call with limit and forceSince.
 * @returns The seeds' `MirrorResult`, and how many days were sealed.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return runAudit('mirror-audit', medplum, event, async (deps, input) => {
    const sealed = await sealDays(deps);
    return { ...(await mirror(deps, input)), sealed };
  });
}
