/** Each minute, or when asked: do what is due in the queue. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { drain } from '../flows/sync/drain.io.ts';
import { run } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick or an `$execute` call.
 * @returns Counts of what was done, and whether anything is left that is due.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return run('retry-jobs', medplum, event, (deps) => drain(deps));
}
