/** Each night, each few minutes while a run is open, or when asked: everything on both sides is compared and brought in line. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { reconcile, tick } from '../flows/sync/reconcile/reconcile.io.ts';
import { run } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick or an `$execute` call.
 * @returns How far the runs are.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return run('reconcile', medplum, event, (deps, trigger): Promise<unknown> =>
    trigger.kind === 'request' ? reconcile(deps, trigger.input) : tick(deps)
  );
}
