/** When a patient is new, or a Consent changes: is this patient known to the partner? */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { administer } from '../flows/admin/administer.io.ts';
import { matchActions } from '../flows/match/actions.io.ts';
import { matchChanged } from '../flows/match/event.io.ts';
import { retry } from '../flows/match/match.io.ts';
import { withPartner } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A Patient or a Consent, a cron tick, or an `$execute` call with an action.
 * @returns What came of it.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return withPartner('match-patient', medplum, event, async (deps, trigger, asked): Promise<unknown> => {
    switch (trigger.kind) {
      case 'changed':
        return matchChanged(deps, trigger.resource);
      case 'deleted':
        return { result: 'ignored' };
      case 'tick':
        return retry(deps);
      case 'request':
        return administer(matchActions(deps), asked, {
          action: 'partner/match',
          ...(trigger.input as object | undefined),
        });
    }
  });
}
