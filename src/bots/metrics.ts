/** When Prometheus asks: figures of the whole bundle. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { metrics } from '../flows/metrics/metrics.io.ts';
import { diagnose } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call; `format` may be json.
 * @returns Prometheus text as a Binary, which a GET gets raw.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return diagnose('metrics', medplum, event, metrics);
}
