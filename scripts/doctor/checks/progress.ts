/** Whether the work is being done: jobs and watermarks, judged as the bot `health` judges them. Pure. */
import { resultIn } from '../../../src/flows/reconciliation.ts';
import { controlOf } from '../../../src/queue/control.ts';
import { watermarksOf } from '../../../src/flows/checkpoint.ts';
import { ageOf, queueVerdict, standingOf, watermarksVerdict } from '../../../src/flows/health/judge.ts';
import type { State } from '../../../src/flows/health/judge.ts';
import type { Facts } from '../facts.ts';
import { fail, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';

const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;

function judge(state: State, detail: string, remedy: string): Judgement {
  return state === 'healthy' ? ok(detail) : (state === 'degraded' ? warn : fail)(detail, remedy);
}

export function oldestJob({ source, systems, now }: Facts): Judgement {
  if ('problem' in source.waiting) {
    return unseen(`the Tasks: ${source.waiting.problem}`);
  }
  if ('problem' in source.queueControl) {
    return unseen(`the control of the queue: ${source.queueControl.problem}`);
  }
  const { rows } = source.waiting;
  const control = controlOf(systems, source.queueControl.rows[0]);
  const failed = source.failed ?? 0;
  const { state, reason } = queueVerdict(control, rows, failed, now);
  const { held, since, oldestWaitingSeconds } = standingOf(control, rows, failed, now);
  const waiting = `${rows.length} waiting${rows.length > 0 ? `, the oldest due for ${minutes(oldestWaitingSeconds * 1000)}` : ''}; ${failed} failed`;
  const detail = held === false ? waiting : `held since ${since}: ${held}; ${waiting}`;
  if (reason === 'queue-paused') {
    return judge(state, detail, 'Somebody has paused the queue: `npm run admin -- queue resume` lets it go on.');
  }
  return judge(
    state,
    detail,
    'See what the replica answers: the bot `health` says it, and each job holds its last error code. Failed jobs wait for a person.'
  );
}

export function watermarkAge({ source, systems, now }: Facts): Judgement {
  if ('problem' in source.checkpoint) {
    return unseen(`the checkpoint: ${source.checkpoint.problem}`);
  }
  const watermarks = watermarksOf(systems, source.checkpoint.rows[0]);
  const { state } = watermarksVerdict(watermarks, now);
  const age = ageOf(watermarks, now);
  return judge(
    state,
    age === undefined ? 'there was no sweep yet' : `the oldest feed is covered up to ${minutes(age)} ago`,
    'The sweep runs each five minutes: look for its runs in AuditEvent (type execute), and call it once by $execute.'
  );
}

/** One night may fail, two may not. */
const MOST_HOURS = 48;

export function lastReconciliation({ source, now }: Facts): Judgement {
  const remedy =
    'Each night the bot `reconcile` compares everything: see `npm run admin -- reconciliation history`, look for its runs in AuditEvent (type execute), and call `npm run admin -- reconciliation run`.';
  if ('problem' in source.reconciliations) {
    return unseen(`the results of reconciliations: ${source.reconciliations.problem}`);
  }
  const last = source.reconciliations.rows
    .flatMap((event) => resultIn(event) ?? [])
    .find(({ isWhole, organization }) => isWhole && organization === undefined);
  if (!last) {
    return warn('source and replica were never compared as a whole', remedy);
  }
  const hours = Math.round((now - Date.parse(last.startTime)) / 3_600_000);
  const detail = `everything was compared ${hours} h ago${last.errors.length > 0 ? `, but for ${last.errors.join(', ')}` : ''}`;
  return hours > MOST_HOURS || last.errors.length > 0 ? warn(detail, remedy) : ok(detail);
}
