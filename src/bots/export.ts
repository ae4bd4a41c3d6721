/** When asked: what the replica holds of one patient, to whoever may see it. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { exportEverything } from '../flows/export/export.io.ts';
import { show } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call with `{patient, start, end, type, _count, _offset}`, or the operation with Parameters.
 * @returns A searchset Bundle.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return show('export', medplum, event, exportEverything);
}
