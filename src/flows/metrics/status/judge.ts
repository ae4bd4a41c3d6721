/** What is not as it should be, worst first, and what to do about it. Pure. */
import { FAULTS } from '../../../observability/fault.ts';
import { heldBy } from '../../../queue/control.ts';
import { JOBS_LATE_MS, SWEEP_LATE_MS, SWEEP_LOST_MS } from '../../late.ts';
import { QUEUE_NAME } from '../tasks.ts';
import type { Facts } from './facts.ts';
import { ageText, numberText } from './say.ts';

export type State = 'healthy' | 'degraded' | 'unhealthy';

/** One thing that somebody should know. */
export interface Finding {
  readonly state: 'degraded' | 'unhealthy';
  /** A code of ours. */
  readonly code: string;
  readonly says: string;
  /** What to do, or that nothing has to be done. */
  readonly does: string;
}

const RUNBOOK = 'docs/runbook.md';
const COMPARISON_LATE_MS = 2 * 86_400_000;

type Judge = (facts: Facts) => Finding | undefined;

/**
 * @param facts - What was read.
 * @returns The findings; none when all is well.
 */
export function findingsOf(facts: Facts): readonly Finding[] {
  const found = JUDGES.flatMap((judge) => judge(facts) ?? []);
  return [...found.filter(({ state }) => state === 'unhealthy'), ...found.filter(({ state }) => state === 'degraded')];
}

const JUDGES: readonly Judge[] = [isOff, isDown, isHeld, isSweepLate, hasFailed, isWaiting, isComparedLate, hasErrors];

function isOff({ syncEnabled }: Facts): Finding | undefined {
  return syncEnabled
    ? undefined
    : {
        state: 'degraded',
        code: 'sync-off',
        says: 'Replication is switched off: nothing is sent, and nothing that should go is taken back.',
        does: 'Set SYNC_ENABLED to true when it is to go on.',
      };
}

function isDown({ state }: Facts): Finding | undefined {
  return state.gauges.holi_database_connections_active?.['["replica"]']?.[0] === 0
    ? {
        state: 'unhealthy',
        code: 'replica-down',
        says: 'The replica does not answer.',
        does: `Changes wait in the queue and nothing is lost; what is to be erased waits as well. See ${RUNBOOK}, “Replica down”.`,
      }
    : undefined;
}

function isHeld({ control, now }: Facts): Finding | undefined {
  const reason = heldBy(control);
  if (reason === undefined) {
    return undefined;
  }
  const age = ageText((now - (control.pausedAt ?? control.open?.since ?? now)) / 1000);
  return control.pausedAt === undefined
    ? {
        state: 'degraded',
        code: 'breaker-open',
        says: `Nothing has been delivered for ${age}: ${messageOf(reason)}`,
        does: 'It is asked again each minute, and goes on by itself.',
      }
    : {
        state: 'degraded',
        code: 'queue-paused',
        says: `A person paused the queue ${age} ago. Erasures wait as well.`,
        does: 'npm run admin -- queue/resume, when it is to go on.',
      };
}

function messageOf(reason: string): string {
  return Object.hasOwn(FAULTS, reason) ? FAULTS[reason as keyof typeof FAULTS].message : reason;
}

function isSweepLate({ state, syncEnabled }: Facts): Finding | undefined {
  const seconds = state.gauges.holi_fhir_sync_watermark_age_seconds?.['[]']?.[0];
  if (!syncEnabled) {
    return undefined;
  }
  if (seconds === undefined) {
    return {
      state: 'degraded',
      code: 'never-swept',
      says: 'The sweep has not run yet, which is how a new installation looks.',
      does: 'It runs every five minutes. Should this stay: are bots and cron switched on in the project?',
    };
  }
  if (seconds * 1000 <= SWEEP_LATE_MS) {
    return undefined;
  }
  return {
    state: seconds * 1000 > SWEEP_LOST_MS ? 'unhealthy' : 'degraded',
    code: 'sweep-late',
    says: `The sweep is ${ageText(seconds)} behind: changes whose event was lost are not found.`,
    does: `See ${RUNBOOK}, “Alerts”.`,
  };
}

function hasFailed({ state }: Facts): Finding | undefined {
  const failed = state.gauges.holi_queue_jobs_failed?.[JSON.stringify([QUEUE_NAME])]?.[0] ?? 0;
  return failed > 0
    ? {
        state: 'degraded',
        code: 'jobs-failed',
        says: `${numberText(failed)} jobs were given up.`,
        does: `A person has to look: npm run admin -- queue/failed, and ${RUNBOOK}, “Failed jobs”.`,
      }
    : undefined;
}

function isWaiting({ state }: Facts): Finding | undefined {
  const seconds = state.gauges.holi_queue_oldest_waiting_seconds?.[JSON.stringify([QUEUE_NAME])]?.[0] ?? 0;
  return seconds * 1000 > JOBS_LATE_MS
    ? {
        state: 'degraded',
        code: 'jobs-waiting',
        says: `A job has waited for ${ageText(seconds)}.`,
        does: 'Is the replica down, or is there more to do than a run does each minute?',
      }
    : undefined;
}

function isComparedLate({ last, now }: Facts): Finding | undefined {
  const age = last ? now - Date.parse(last.endTime) : 0;
  return age > COMPARISON_LATE_MS
    ? {
        state: 'degraded',
        code: 'comparison-late',
        says: `Both sides were last compared ${ageText(age / 1000)} ago.`,
        does: `It should happen each night. See ${RUNBOOK}, “Drift”.`,
      }
    : undefined;
}

function hasErrors({ last }: Facts): Finding | undefined {
  const errors = last?.errors.length ?? 0;
  return errors > 0
    ? {
        state: 'degraded',
        code: 'comparison-incomplete',
        says: 'The last comparison could not look at everything.',
        does: 'npm run admin -- reconciliation/history says what, and why.',
      }
    : undefined;
}
