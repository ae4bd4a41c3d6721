/** When asked by an ADMIN: the operations of the bundle, each a row in the table of its area. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { administer } from '../flows/admin/administer.io.ts';
import { ACTIONS } from './actions.ts';
import { command } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call with `{action, …parameters}`.
 * @returns What the action answers.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return command('admin', medplum, event, async (deps, trigger) =>
    administer(ACTIONS, deps, trigger.kind === 'request' ? trigger.input : undefined)
  );
}
