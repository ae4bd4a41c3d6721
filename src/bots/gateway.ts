/** When asked: passes a FHIR request on to the replica, for whoever may make it. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { forward } from '../flows/gateway/forward.io.ts';
import { show } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call with `{method, path}`.
 * @returns Status and body.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return show('gateway', medplum, event, forward);
}
