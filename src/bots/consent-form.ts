/** When a form is handed in, changed or deleted: the patient's Consent follows. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { applyForm } from '../flows/form/apply.io.ts';
import { command } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A QuestionnaireResponse, or its deletion.
 * @returns What was done.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return command('consent-form', medplum, event, async (deps, trigger) =>
    'resource' in trigger && trigger.resource.resourceType === 'QuestionnaireResponse'
      ? applyForm(deps, trigger.resource)
      : { result: 'ignored' }
  );
}
