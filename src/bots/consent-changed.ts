/** On each change of a Consent: back-fill what is now permitted, erase what no longer is. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { patientOfConsent } from '../flows/sync/sweep.io.ts';
import { consentChanged } from '../flows/sync/consent.io.ts';
import { NOTHING } from '../observability/tally.ts';
import { lint } from '../rules/consent/lint.ts';
import { run } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A Subscription event.
 * @returns Counts of what was done.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return run('consent-changed', medplum, event, async (deps, trigger) => {
    const consent = 'resource' in trigger ? trigger.resource : undefined;
    const patientId = consent?.resourceType === 'Consent' ? patientOfConsent(consent) : undefined;
    if (!patientId) {
      deps.log('info', 'input-ignored', { reason: consent ? 'no-patient' : 'not-a-change' });
      return NOTHING;
    }
    for (const { code } of consent?.resourceType === 'Consent' ? lint([consent]) : []) {
      deps.log('warn', 'consent-ambiguous', { reason: code });
    }
    return consentChanged(deps, patientId, `Consent/${consent?.id}`);
  });
}
