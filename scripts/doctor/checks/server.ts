/** The source server and the project in it. Pure. */
import type { Facts } from '../facts.ts';
import { fail, judged, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';

/** Without `cron` a schedule is accepted and never runs; without `transaction-bundles` a transaction silently runs as a batch. */
const FEATURES = ['bots', 'cron', 'transaction-bundles'] as const;
const WARN_SKEW_MS = 5000;
const FAIL_SKEW_MS = 60_000;
const SLOW_MS = 2000;

export function serverReachable({ source: { health, baseUrl } }: Facts): Judgement {
  if (health.problem) {
    return fail(`${baseUrl}healthcheck: ${health.problem}`, 'Check MEDPLUM_BASE_URL, and that the server is up.');
  }
  const { postgres, redis } = (health.body ?? {}) as { postgres?: boolean; redis?: boolean };
  return postgres === false || redis === false
    ? fail(
        `the server answers, but ${postgres === false ? 'PostgreSQL' : 'Redis'} is down`,
        'Look at the server’s log.'
      )
    : ok(`${baseUrl} answers in ${Math.round(health.ms)} ms`);
}

export function serverVersion({ source: { health, capabilities } }: Facts): Judgement {
  const version = (health.body as { version?: string } | undefined)?.version ?? capabilities?.software?.version;
  if (!version) {
    return unseen('the server does not tell its version');
  }
  return /^5\./.test(version)
    ? ok(`Medplum ${version}`)
    : warn(
        `Medplum ${version}`,
        'The bundle is made for Medplum 5: run `npm run test:server` against a server of this version first.'
      );
}

export function projectAdmin({ source: { token, isAdmin } }: Facts): Judgement {
  if (token.problem) {
    return fail(
      `the source gives no token: ${token.problem}`,
      'Check MEDPLUM_CLIENT_ID and MEDPLUM_CLIENT_SECRET: a ClientApplication of the source project.'
    );
  }
  return isAdmin
    ? ok('the client is an admin of the project')
    : fail(
        'the client is not an admin of the project',
        'Set "admin" on its ProjectMembership: secrets and memberships are visible to admins alone.'
      );
}

export function projectFeatures({ source: { project } }: Facts): Judgement {
  const missing = FEATURES.filter((feature) => !project?.features?.includes(feature));
  return project
    ? judged(
        missing.map((feature) => `${feature} is missing`),
        fail,
        FEATURES.join(', '),
        'A super admin adds it to Project.features; without it things are accepted and never run.'
      )
    : unseen('the Project cannot be read');
}

export function replicaFeatures({ replica }: Facts): Judgement {
  if (!replica?.project) {
    return isOtherServer(replica?.capabilities?.software?.name)
      ? ok('not a Medplum: it has no such features')
      : unseen('the replica’s Project', SEE_REPLICA);
  }
  return replica.project.features?.includes('transaction-bundles')
    ? ok('transaction-bundles')
    : fail(
        'transaction-bundles is missing',
        'A super admin of the replica adds it to Project.features: without it a transaction silently runs as a batch, which leaks connections.'
      );
}

const isOtherServer = (name: string | undefined): boolean => name !== undefined && !/medplum/i.test(name);

/** What is missing when the bots' own client may not look, which is as it should be. */
export const SEE_REPLICA =
  'The bots’ own client may not see this, and need not. Give the doctor an admin of the replica’s project: REPLICA_ADMIN_CLIENT_ID and REPLICA_ADMIN_CLIENT_SECRET.';

export function clockSkew({ source, replica }: Facts): Judgement {
  const clocks = [
    { name: 'source', skew: source.health.skewMs },
    { name: 'replica', skew: replica?.metadata.skewMs },
  ].flatMap(({ name, skew }) => (skew === undefined ? [] : [{ name, skew }]));
  if (clocks.length === 0) {
    return unseen('no server tells its time');
  }
  const worst = Math.max(...clocks.map(({ skew }) => Math.abs(skew)));
  const detail = clocks
    .map(({ name, skew }) => `${name} ${skew < 0 ? '−' : '+'}${Math.round(Math.abs(skew) / 1000)} s`)
    .join(', ');
  const remedy = 'Set the clocks by NTP: tokens, leases and consent periods are judged by them.';
  if (worst > FAIL_SKEW_MS) {
    return fail(detail, remedy);
  }
  return worst > WARN_SKEW_MS ? warn(detail, remedy) : ok(detail);
}

/**
 * Medplum 5.0.10 with saved AuditEvents loses a connection now and then to a request that writes more than once, and stands still
 * when a hundred are lost. How many are lost only the database knows; what can be seen from here is how long reads wait for one.
 */
export function leakedConnections({ source: { reads } }: Facts): Judgement {
  const slowest = Math.round(Math.max(...reads.map(({ ms }) => ms)));
  const lost = reads.filter(({ status }) => status === 0 || status === 504).length;
  const refused = reads.find(({ status }) => status !== 0 && status !== 504 && status !== 200);
  if (refused) {
    return unseen(`reads of the source: ${refused.problem}`);
  }
  const look =
    "Ask the database: select count(*) from pg_stat_activity where state = 'idle in transaction' and now() - state_change > interval '60 s'. More than a few: restart the server; and let nobody send batches with writes.";
  if (lost > 0) {
    return fail(`${lost} of ${reads.length} parallel reads got no answer, or 504`, look);
  }
  return slowest > SLOW_MS
    ? warn(`the slowest of ${reads.length} parallel reads took ${slowest} ms`, look)
    : ok(
        `no sign: the slowest of ${reads.length} parallel reads took ${slowest} ms (the number itself is in pg_stat_activity)`
      );
}
