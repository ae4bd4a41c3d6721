/** What the bot `pull-partner` does when it is asked. */
import { Fault } from '../../../observability/fault.ts';
import { adminAction } from '../../action.ts';
import type { Actions } from '../../action.ts';
import { CANCEL, PULL, STATUS } from '../../partner-actions.ts';
import type { PullDeps } from './deps.ts';
import { cancel, pull, statusOf } from './pull.io.ts';

const NONE = { phase: 'none', isComplete: true };

/**
 * @param deps - The run.
 * @returns The actions.
 */
export function pullActions(deps: PullDeps): Actions {
  return {
    'partner/pull': adminAction({
      ...PULL,
      run: async (_admin, { since, ...rest }) => {
        const instant = since === undefined ? undefined : Date.parse(since);
        if (Number.isNaN(instant)) {
          throw new Fault('input-invalid', ['since must be an instant']);
        }
        return pull(deps, { ...rest, ...(instant !== undefined && { since: new Date(instant).toISOString() }) });
      },
    }),
    'partner/status': adminAction({ ...STATUS, run: async () => (await statusOf(deps)) ?? NONE }),
    'partner/cancel': adminAction({ ...CANCEL, run: async () => (await cancel(deps)) ?? NONE }),
  };
}
