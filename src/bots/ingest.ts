/** When another system sends records: take what may be taken. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { ingest } from '../flows/ingest/ingest.io.ts';
import { command } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call with a resource or a Bundle.
 * @returns What became of each entry.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return command('ingest', medplum, event, (deps) => ingest(deps, event.input));
}
