/** When asked: the identified original of a copy, for somebody who may see it. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { reveal } from '../flows/reveal/reveal.io.ts';
import { attend } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call with token, purpose and reason.
 * @returns The original, or the list of broken glass.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return attend('reveal', medplum, event, reveal);
}
