/** What can be asked of `explain`, and how the bot `admin` passes it on: it must not read clinical records itself. */
import { adminAction } from '../action.ts';
import type { Actions } from '../action.ts';

export const EXPLAIN_WHY =
  'Why records of a patient are copied or not: decision, evidence, which elements would be sent, open jobs. Sends nothing, shows no values.';

export const EXPLAIN_PARAMETERS = {
  patient: { kind: 'patient', isRequired: true, why: 'Patient/<id>, an id, or the token on the replica.' },
  resource: { kind: 'references', why: 'Records, Type/id, at most ten; without any, all are counted type by type.' },
} as const;

/** For the bot `admin`. */
export const EXPLAIN_ACTIONS: Actions = {
  explain: adminAction({
    effect: 'read',
    why: EXPLAIN_WHY,
    parameters: EXPLAIN_PARAMETERS,
    run: async ({ bots }, { patient, resource }) => bots.ask('explain', { patient, ...(resource && { resource }) }),
  }),
};
