/** Each five minutes, or when asked: repair what the events missed. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { sweep } from '../flows/sync/sweep.io.ts';
import { run } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick or an `$execute` call.
 * @returns Counts of what was done, and whether everything was looked at.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return run('sweep', medplum, event, (deps) => sweep(deps));
}
