/** When asked by `admin`, or by an ADMIN: why records of a patient are copied or not. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { administer } from '../flows/admin/administer.io.ts';
import { EXPLAIN } from '../flows/sync/explain.io.ts';
import { command } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - An `$execute` call with `{patient, resource}`.
 * @returns The explanation.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return command('explain', medplum, event, async (deps, trigger) =>
    administer(EXPLAIN, deps, {
      ...((trigger.kind === 'request' ? trigger.input : undefined) as object | undefined),
      action: 'explain',
    })
  );
}
