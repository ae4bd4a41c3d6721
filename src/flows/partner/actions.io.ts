/** What an ADMIN may ask about the partner. The work itself is that of the bots of the partner. */
import { adminAction } from '../action.ts';
import type { Actions } from '../action.ts';
import { CANCEL, DECIDE, MATCH, PULL, STATUS } from '../partner-actions.ts';

const BOT = 'pull-partner';
const MATCHER = 'match-patient';
/** The admin has an answer to give: what takes longer goes on by itself at the next tick. */
const PATIENCE_SECONDS = 8;

export const PARTNER_ACTIONS: Actions = {
  'partner/pull': adminAction({
    ...PULL,
    run: ({ bots }, values) =>
      bots.ask(BOT, { ...values, seconds: values.seconds ?? PATIENCE_SECONDS, action: 'partner/pull' }),
  }),
  'partner/status': adminAction({ ...STATUS, run: ({ bots }) => bots.ask(BOT, { action: 'partner/status' }) }),
  'partner/cancel': adminAction({ ...CANCEL, run: ({ bots }) => bots.ask(BOT, { action: 'partner/cancel' }) }),
  'partner/match': adminAction({
    ...MATCH,
    run: ({ bots }, values) => bots.ask(MATCHER, { ...values, action: 'partner/match' }),
  }),
  'partner/decide': adminAction({
    ...DECIDE,
    run: ({ bots }, values) => bots.ask(MATCHER, { ...values, action: 'partner/decide' }),
  }),
};
