/** When asked: a cohort for research, de-identified, by consent to research; each few minutes it goes on with what is open. */
import type { BotEvent, MedplumClient } from '@medplum/core';
import { answerResearch, tickResearch } from '../flows/research/research.io.ts';
import { research } from './wire.ts';

/**
 * @param medplum - The client of the bot.
 * @param event - A cron tick, or an `$execute` call with `{action, cohort, types, k, id, file}`.
 * @returns Progress, manifest, file or list.
 */
export async function handler(medplum: MedplumClient, event: BotEvent): Promise<unknown> {
  return research('research-export', medplum, event, (deps, trigger): Promise<unknown> =>
    trigger.kind === 'request' ? answerResearch(deps, trigger.input) : tickResearch(deps)
  );
}
