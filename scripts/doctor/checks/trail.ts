/** Whether the trail is whole: signed, sealed, and mirrored to the end. Pure. */
import { dayAfter, dayOf, sealIn } from '../../../src/flows/audit/seal.ts';
import { stateOf } from '../../../src/flows/audit/state.ts';
import type { Facts } from '../facts.ts';
import { fail, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';
import { SEE_REPLICA } from './server.ts';

const HOUR_MS = 3_600_000;
/** A nightly run, and two hours. */
const LATE_MS = 26 * HOUR_MS;
const LOST_MS = 7 * 24 * HOUR_MS;

const KEY =
  'Make one by `openssl rand -hex 32`, keep it as AUDIT_SIGNING_KEY by `npm run secrets`, and keep `npm run audit -- public-key` where the trail is not.';
const RUN =
  'Call `npm run admin -- audit-mirror run` and read its answer; its schedule is in bots.config.json, and runs that failed are in AuditEvent (type execute).';
const READ = 'Give the policy of the bots’ client on the replica AuditEvent search and read, beside create.';

export function auditSigned({ source, secrets }: Facts): Judgement {
  if (!source.project) {
    return unseen('the settings');
  }
  return secrets.AUDIT_SIGNING_KEY
    ? ok('events are signed')
    : warn('AUDIT_SIGNING_KEY is not set: no event has a keyed hash, no day is sealed, nothing is archived', KEY);
}

export function auditSealed({ source, secrets, systems, now }: Facts): Judgement {
  const { newestSeal, oldestEvent } = source;
  if ('problem' in newestSeal || 'problem' in oldestEvent) {
    return unseen('the seals');
  }
  const seal = newestSeal.rows[0] && sealIn(systems, newestSeal.rows[0])?.seal;
  const oldest = oldestEvent.rows[0]?.meta?.lastUpdated?.slice(0, 10);
  const open = seal ? dayAfter(seal.day) : oldest;
  // The day that has just ended is sealed by the next run.
  const isLate = open !== undefined && open < dayAfter(dayOf(now), -1);
  if (isLate && secrets.AUDIT_SIGNING_KEY) {
    return fail(`no day is sealed from ${open} on`, RUN);
  }
  return ok(seal ? `up to ${seal.day}` : 'no day is over');
}

export function auditMirrorLag({ source, replica, systems, now }: Facts): Judgement {
  if ('problem' in source.mirror) {
    return unseen(`the state of the mirror: ${source.mirror.problem}`);
  }
  if (!replica?.trail) {
    return unseen('the AuditEvents of the replica', SEE_REPLICA);
  }
  if (replica.trail.problem) {
    return fail(`the bots’ client may not read the AuditEvents of the replica: ${replica.trail.problem}`, READ);
  }
  const { recentRuns, watermark } = stateOf(systems, source.mirror.rows[0]);
  const [last] = recentRuns;
  if (!last) {
    return warn('there was no run yet', RUN);
  }
  const age = now - Date.parse(last.timestamp);
  const detail = `the last run was ${Math.round(age / HOUR_MS)} h ago, up to ${watermark ?? 'nothing'}; it had ${last.errors} errors`;
  if (age > LOST_MS) {
    return fail(detail, RUN);
  }
  return age > LATE_MS || last.errors > 0 ? warn(detail, RUN) : ok(detail);
}
