/** When a person asks: how does it stand, and what is to be done? */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { status } from '../flows/metrics/status/status.io.ts';
import { diagnose } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call; `format` may be json.
 * @returns A page as a Binary, which a GET gets raw; or the report as JSON.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return diagnose('status', medplum, event, status);
}
