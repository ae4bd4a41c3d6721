/** Each few minutes, or when asked: the partner's export is begun, waited for and taken, as far as the time allows. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { administer } from '../flows/admin/administer.io.ts';
import { pullActions } from '../flows/ingest/pull/actions.io.ts';
import { tick } from '../flows/ingest/pull/pull.io.ts';
import { withPartner } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick, or an `$execute` call with an action.
 * @returns How far the pull is.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return withPartner('pull-partner', medplum, event, async (deps, trigger, asked): Promise<unknown> => {
    if (trigger.kind !== 'request') {
      return (await tick(deps)) ?? { idle: true };
    }
    const call = { action: 'partner/pull', ...(trigger.input as object | undefined) };
    return administer(pullActions(deps), asked, call);
  });
}
