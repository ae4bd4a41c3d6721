/** What the bot `match-patient` does when it is asked. */
import { adminAction } from '../action.ts';
import type { Actions } from '../action.ts';
import { DECIDE, MATCH } from '../partner-actions.ts';
import type { MatchDeps } from './deps.ts';
import { decide, match } from './match.io.ts';

/**
 * @param deps - The run.
 * @returns The actions.
 */
export function matchActions(deps: MatchDeps): Actions {
  return {
    'partner/match': adminAction({ ...MATCH, run: (_admin, { patient }) => match(deps, patient, true) }),
    'partner/decide': adminAction({
      ...DECIDE,
      run: (_admin, { patient, candidate }) => decide(deps, patient, candidate),
    }),
  };
}
