/** What an ADMIN may do with the queue: the seeds' `/fhir/admin/queue/*` (§6.3), in their shapes. */
import { heldBy } from '../../queue/control.ts';
import type { Control } from '../../queue/control.ts';
import { pause, readControl, resume } from '../../queue/gate.io.ts';
import { act, letters } from '../../queue/letters.io.ts';
import { clean } from '../../queue/retention.io.ts';
import { stats } from '../../queue/stats.io.ts';
import { adminAction } from '../action.ts';
import type { Actions } from '../action.ts';

const WHICH = {
  type: { kind: 'code', why: 'Only this kind of job, such as observation-sync.' },
  reason: { kind: 'code', why: 'Only jobs that failed for this reason, such as replica-rejected.' },
  dryRun: { kind: 'boolean', why: 'Says how many it would be, and changes nothing.' },
} as const;

export const QUEUE_ACTIONS: Actions = {
  'queue/stats': adminAction({
    effect: 'read',
    why: 'How many jobs are in which state, and whether anything holds them back.',
    parameters: {},
    async run(deps) {
      const [counts, control] = [await stats(deps), await readControl(deps)];
      return { success: true, stats: counts, ...heldOf(control) };
    },
  }),
  'queue/failed': adminAction({
    effect: 'read',
    why: 'Dead letters, the newest first.',
    parameters: {
      limit: { kind: 'integer', min: 1, max: 1000, why: 'How many at most; 50 unless said otherwise.' },
      type: WHICH.type,
      reason: WHICH.reason,
    },
    async run(deps, { limit = 50, type, reason }) {
      const jobs = await letters(deps, limit, { ...(type && { type }), ...(reason && { reason }) });
      return { success: true, count: jobs.length, jobs };
    },
  }),
  'queue/retry': adminAction({
    effect: 'change',
    why: 'Puts failed jobs back, due now, with all their attempts: one, some, or all.',
    parameters: { id: { kind: 'id', why: 'One job, which may also be on hold or delayed.' }, ...WHICH },
    async run(deps, { id, type, reason, dryRun = false }) {
      const which = { ...(id && { id }), ...(type && { type }), ...(reason && { reason }) };
      return { success: true, ...(await act(deps, 'retry', which, { isDry: dryRun })) };
    },
  }),
  'queue/discard': adminAction({
    effect: 'change',
    why: 'Says that failed jobs shall not be done. The job keeps the reason; a newer event of the record opens it again.',
    parameters: {
      id: { kind: 'id', why: 'One job.' },
      because: { kind: 'code', isRequired: true, why: 'Why, as a code of yours: kept in the job.' },
      ...WHICH,
    },
    async run(deps, { id, because, type, reason, dryRun = false }) {
      const which = { ...(id && { id }), ...(type && { type }), ...(reason && { reason }) };
      return { success: true, ...(await act(deps, 'discard', which, { isDry: dryRun, reason: because })) };
    },
  }),
  'queue/clean': adminAction({
    effect: 'change',
    why: 'Removes what is over: completed jobs after 7 days, discarded ones after 30. `retry-jobs` does so by itself, failed ones included.',
    parameters: {},
    run: async (deps) => ({ success: true, removed: await clean(deps, deps.deadlineAt) }),
  }),
  'queue/pause': adminAction({
    effect: 'change',
    why: 'Stops all deliveries, erasures included. What comes meanwhile is kept.',
    parameters: {},
    run: async (deps) => ({ success: true, ...heldOf(await pause(deps)) }),
  }),
  'queue/resume': adminAction({
    effect: 'change',
    why: 'Lets deliveries go on, erasures first, at the pace that the settings allow.',
    parameters: {},
    run: async (deps) => ({ success: true, ...heldOf(await resume(deps)) }),
  }),
};

/** What holds deliveries back, and since when. */
function heldOf(control: Control): object {
  const since = control.pausedAt ?? control.open?.since;
  const held = heldBy(control);
  return held === undefined ? { held: false } : { held, since: new Date(since ?? 0).toISOString() };
}
