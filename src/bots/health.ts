/** When asked: is everything that the other bots need there, and are they keeping up? */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { health } from '../flows/health/health.io.ts';
import { diagnose } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call; `probe` may be live, ready or startup.
 * @returns Status, timestamp and checks.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return diagnose('health', medplum, event, health);
}
