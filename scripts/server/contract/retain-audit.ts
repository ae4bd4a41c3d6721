/** `retain-audit`: sealed days go into archives that verify by themselves; what somebody did to a day is found, and keeps it where it is. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { Retained } from '../../../src/flows/audit/retain.io.ts';
import { npmRun } from '../command.ts';
import { runEventOf } from '../../../src/observability/run-trail.ts';
import { withMac } from '../../../src/observability/event-mac.ts';
import { signerOf } from '../../../src/observability/signer.ts';
import { execute, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';
import { eventsOf } from './mirror-audit.ts';

const DAY_MS = 86_400_000;
/** More than one transaction of deletes takes. */
const EVENTS_A_DAY = 230;
type Stored = AuditEvent & { readonly id: string };
const dayBefore = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
const trailOf = (from: string, to: string): string =>
  `type=${encodeURIComponent(`${systemsOf().auditType}|`)}&_lastUpdated=ge${from}&_lastUpdated=lt${to}`;

/** An event of ours on a day that is over: only a super admin may say when something was stored. */
async function plant({ superAdmin, project, auditKey }: Ground, day: string, n: number): Promise<Stored> {
  const at = Date.parse(day) + n * 60_000;
  const systems = systemsOf();
  const event = runEventOf(
    {
      type: 'FHIR_ADMIN',
      action: 'planted',
      correlationId: `${day}-${n}`,
      bot: 'Bot/planted',
      startedAt: at,
      endedAt: at,
      details: {},
    },
    systems
  );
  const meta = { project: project.projectId, lastUpdated: new Date(at).toISOString() };
  return superAdmin.create<AuditEvent>({ ...withMac(event, systems, signerOf(auditKey).mac), meta });
}

function environmentOf({ source, project: { admin } }: Ground): Record<string, string> {
  return { MEDPLUM_BASE_URL: source.baseUrl, MEDPLUM_CLIENT_ID: admin.id, MEDPLUM_CLIENT_SECRET: admin.secret };
}

/** Somebody with all rights on the database of the source. */
async function tamper({ superAdmin }: Ground, changed: Stored, removed: Stored): Promise<void> {
  await superAdmin.update<AuditEvent>({ ...changed, outcome: '8' });
  await superAdmin.remove(`AuditEvent/${removed.id}`);
}

async function archivesVerifyAlone(env: Readonly<Record<string, string>>, out: string): Promise<number> {
  await npmRun('audit', ['export', '--out', out], { env });
  const archives = readdirSync(out).filter((name) => name.endsWith('.manifest.json'));
  const key = ['--public-key', join(out, 'public-key.pem')];
  const files = archives.flatMap((name) => ['--archive', join(out, name)]);
  await npmRun('audit', ['verify', ...files, ...key], { env: NO_SERVER });
  return archives.length;
}

const NO_SERVER = { MEDPLUM_BASE_URL: 'http://127.0.0.1:1/', MEDPLUM_CLIENT_ID: '', MEDPLUM_CLIENT_SECRET: '' };

export const RETAIN_AUDIT: readonly Check[] = [
  {
    bot: 'retain-audit',
    promise: 'old days are archived, verified, and only then deleted; a day that somebody touched is found, and stays',
    async prove(ground) {
      const { source } = ground;
      const env = environmentOf(ground);
      const [oldest, old, touched] = [dayBefore(4), dayBefore(3), dayBefore(2)];
      const planted: Stored[] = [];
      for (const [day, count] of [
        [oldest, EVENTS_A_DAY],
        [old, 3],
        [touched, 12],
      ] as const) {
        for (let n = 0; n < count; n++) {
          planted.push(await plant(ground, day, n));
        }
      }
      const { sealed } = await execute<{ sealed: number }>(ground, 'mirror-audit');
      must(sealed === 4, `${sealed} days sealed`);
      await npmRun('audit', ['verify'], { env });
      const out = mkdtempSync(join(tmpdir(), 'audit-'));
      try {
        const archives = await archivesVerifyAlone(env, out);
        const [third, fourth] = planted.slice(-10) as [Stored, Stored];
        await tamper(ground, third, fourth);
        const told = await npmRun('audit', ['verify'], { env }, [1]);
        must(told.includes(`changed  AuditEvent/${third.id}, number 3 of the day`), told);
        must(told.includes(`removed  AuditEvent/${fourth.id}, number 4 of the day`), told);
        await ground.configure({ AUDIT_RETENTION_DAYS: '1' });
        const run = await execute<Retained>(ground, 'retain-audit');
        must(
          run.archived === 2 && run.deleted === EVENTS_A_DAY + 3 && run.withheld.join() === touched,
          JSON.stringify(run)
        );
        const left = await eventsOf(source, trailOf(oldest, dayBefore(1)));
        must(left.length === 10, `${left.length} events are left`);
        const again = await execute<Retained>(ground, 'retain-audit');
        must(again.archived === 0 && again.deleted === 0, JSON.stringify(again));
        const still = await npmRun('audit', ['verify'], { env }, [1]);
        must(!still.includes(oldest) && !still.includes(old), still);
        const key = ['--public-key', join(out, 'public-key.pem')];
        const answer = await npmRun('audit', ['restore', '--archive', join(out, `${old}.manifest.json`), ...key], {
          env,
        });
        must(answer.includes('3 restored'), answer);
        return `${run.deleted} events of ${run.archived} days; ${archives} archives verified; ${told.trim().split('\n').length - 1} findings; 3 restored`;
      } finally {
        rmSync(out, { recursive: true, force: true });
        await ground.configure({ AUDIT_RETENTION_DAYS: '365' });
      }
    },
  },
];
