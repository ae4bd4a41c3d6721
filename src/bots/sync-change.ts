/** On each create, update and delete of a replicated type: copy the record, or take its copy back. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { isReplicated } from '../config/policy.ts';
import { syncChange } from '../flows/sync/change.io.ts';
import { hintOf } from '../flows/sync/facts.ts';
import { NOTHING } from '../observability/tally.ts';
import { run } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A Subscription event.
 * @returns Counts of what was done.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return run('sync-change', medplum, event, async (deps, trigger) => {
    const resource = 'resource' in trigger ? trigger.resource : undefined;
    const { patientId, hint } = resource && isReplicated(resource) ? hintOf(resource) : {};
    if (!patientId || !hint) {
      deps.log('info', 'input-ignored', { reason: resource ? 'no-patient' : 'not-a-change' });
      return NOTHING;
    }
    return syncChange(deps, patientId, hint, trigger.kind === 'changed' ? resource?.meta?.lastUpdated : undefined);
  });
}
