/** Each week, or when asked: old days of the trail go into signed archives. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { retain } from '../flows/audit/retain.io.ts';
import { runAudit } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick or an `$execute` call.
 * @returns Counts of what was archived and deleted, and the days that were left as they are.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return runAudit('retain-audit', medplum, event, (deps) => retain(deps));
}
