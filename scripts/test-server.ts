/** `npm run test:server`: the story and every bot's contract against a real Medplum, in two projects that live as long as the test. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { ROOT } from './deploy/manifest.ts';
import { connect, credentialsOf } from './deploy/server.ts';
import type { Credentials, Server } from './deploy/server.ts';
import type { Finding } from './doctor/finding.ts';
import { npmRun } from './server/command.ts';
import { CHAOS } from './server/contract/chaos.ts';
import { CONSENT_CHANGED } from './server/contract/consent-changed.ts';
import { HEALTH } from './server/contract/health.ts';
import { INGEST } from './server/contract/ingest.ts';
import { ADMIN } from './server/contract/admin.ts';
import { EXPORT } from './server/contract/export.ts';
import { GATEWAY } from './server/contract/gateway.ts';
import { MIRROR_AUDIT } from './server/contract/mirror-audit.ts';
import { RETAIN_AUDIT } from './server/contract/retain-audit.ts';
import { PARTNER } from './server/contract/partner.ts';
import { METRICS } from './server/contract/metrics.ts';
import { REVEAL } from './server/contract/reveal.ts';
import { RESEARCH_EXPORT } from './server/contract/research-export.ts';
import { RETRY_JOBS } from './server/contract/retry-jobs.ts';
import { RECONCILE } from './server/contract/reconcile.ts';
import { STATUS } from './server/contract/status.ts';
import { SWEEP } from './server/contract/sweep.ts';
import { SYNC_CHANGE } from './server/contract/sync-change.ts';
import { TRAIL } from './server/contract/trail.ts';
import { Breach } from './server/ground.ts';
import type { Check, Ground } from './server/ground.ts';
import { createProject, removeProject } from './server/projects.ts';
import type { Made } from './server/projects.ts';
import { adminOf, raiseQuota, settingsFor } from './server/settings.ts';
import { signIn } from './story/rest.ts';
import { play } from './story/story.ts';

const NAMES = ['MEDPLUM_BASE_URL', 'MEDPLUM_CLIENT_ID', 'MEDPLUM_CLIENT_SECRET'];
const USAGE = `npm run test:server -- [--only <bot>] [--keep] [--json]

Needs ${NAMES.join(', ')}: a Medplum 5 server and a ClientApplication of its Super Admin project.
  --only   the contract of one bot (story: the story; all: what all promise)
  --keep   leaves the two projects for inspection
`;

interface Row {
  readonly bot: string;
  readonly promise: string;
  readonly isKept: boolean;
  readonly seen: string;
  readonly ms: number;
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    keep: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
const rows: Row[] = [];
const say = (line: string): void => (values.json ? undefined : console.log(line));

async function test(bot: string, promise: string, prove: () => Promise<string>): Promise<boolean> {
  const started = performance.now();
  const add = (isKept: boolean, seen: string): boolean => {
    const row = { bot, promise, isKept, seen, ms: Math.round(performance.now() - started) };
    rows.push(row);
    say(
      `${isKept ? styleText('green', '✓') : styleText('red', '✗')} ${bot.padEnd(15)} ${promise}  ${styleText('dim', `${row.ms} ms`)}\n    ${styleText('dim', '→')} ${seen}`
    );
    return isKept;
  };
  try {
    return add(true, await prove());
  } catch (error) {
    return add(false, error instanceof Breach ? error.message : ((error as Error).message ?? String(error)));
  }
}

async function main(credentials: Credentials): Promise<void> {
  const base = credentials.baseUrl.replace(/\/*$/, '/');
  const server = connect(credentials);
  const name = `consent-sync test ${new Date().toISOString().slice(0, 19)}Z`;
  const configFile = join(ROOT, 'medplum.config.json');
  const configBefore = existsSync(configFile) ? readFileSync(configFile, 'utf8') : undefined;
  const made: Made[] = [];
  try {
    const source = await createProject(server, `${name} source`);
    made.push(source);
    const replica = await createProject(server, `${name} replica`);
    made.push(replica);
    say(`${base}: Project/${source.projectId} (source), Project/${replica.projectId} (replica)\n`);
    await run(server, base, source, replica);
  } finally {
    if (!values.keep) {
      await test('deployment', '`npm run undeploy`, and both projects are removed', () => cleanUp(server, base, made));
    }
    if (configBefore === undefined) {
      rmSync(configFile, { force: true });
    } else {
      writeFileSync(configFile, configBefore);
    }
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

function environmentOf(base: string, { admin }: Made): Record<string, string> {
  return { MEDPLUM_BASE_URL: base, MEDPLUM_CLIENT_ID: admin.id, MEDPLUM_CLIENT_SECRET: admin.secret };
}

async function run(superAdmin: Server, base: string, source: Made, replica: Made): Promise<void> {
  const env = environmentOf(base, source);
  const auditKey = randomBytes(32).toString('hex');
  const admin = adminOf(base, source);
  await raiseQuota(admin, [source.admin]);
  const settings = {
    ...(await settingsFor(base, replica)),
    AUDIT_SIGNING_KEY: auditKey,
    REVEAL_CLIENTS: `ClientApplication/${source.admin.id}`,
    ADMIN_CLIENTS: `ClientApplication/${source.admin.id}`,
  };
  const configure = async (changes: Readonly<Record<string, string>>): Promise<void> => {
    await npmRun('secrets', ['push', '--stdin'], { env, input: JSON.stringify({ ...settings, ...changes }) });
  };
  const isDeployed =
    (await test('deployment', '`npm run secrets -- push` and `npm run deploy`', async () => {
      await configure({});
      const output = await npmRun('deploy', [], { env });
      return output
        .trim()
        .split('\n')
        .filter((line) => line.includes('✓') || line.includes('health'))
        .map((line) => line.trim())
        .join('; ');
    })) &&
    (await test('deployment', 'a second `npm run deploy` finds nothing to do', async () => {
      const output = await npmRun('deploy', [], { env });
      return /no changes/.exec(output)?.[0] ?? Promise.reject(new Breach(output));
    }));
  if (!isDeployed) {
    return;
  }
  const ground: Ground = {
    source: await signIn(base, source.admin),
    replica: await signIn(base, replica.admin),
    admin,
    superAdmin,
    project: source,
    auditKey,
    configure,
  };
  if (!values.only || values.only === 'story') {
    await tellStory(ground);
  }
  const checks = [
    ...SYNC_CHANGE,
    ...CONSENT_CHANGED,
    ...SWEEP,
    ...RECONCILE,
    ...RETRY_JOBS,
    ...MIRROR_AUDIT,
    ...RETAIN_AUDIT,
    ...TRAIL,
    ...REVEAL,
    ...EXPORT,
    ...GATEWAY,
    ...RESEARCH_EXPORT,
    ...ADMIN,
    ...INGEST,
    ...HEALTH,
    ...CHAOS,
    ...METRICS,
    ...STATUS,
  ];
  const isAsked = ({ bot }: { readonly bot: string }): boolean => !values.only || bot === values.only;
  const seeAll = async (all: readonly Check[]): Promise<void> => {
    for (const check of all.filter(isAsked)) {
      await test(check.bot, check.promise, () => check.prove(ground));
    }
  };
  await seeAll(checks);
  if (isAsked({ bot: 'doctor' })) {
    await test('doctor', 'finds no failure in a good deployment', () => seeDoctor(base, source, replica));
  }
  // Last: they leave the settings of a partner who is gone.
  await seeAll(PARTNER);
}

async function tellStory(ground: Ground): Promise<void> {
  let line = performance.now();
  await play(ground, ({ asked, seen, isAsTold }) => {
    const started = line;
    line = performance.now();
    rows.push({ bot: 'story', promise: asked, isKept: isAsTold, seen, ms: Math.round(line - started) });
    say(
      `${isAsTold ? styleText('green', '✓') : styleText('red', '✗')} ${'story'.padEnd(15)} ${asked}\n    ${styleText('dim', '→')} ${seen}`
    );
  }).catch((error: unknown) => test('story', 'is told to its end', () => Promise.reject(asError(error))));
}

/** Findings of the doctor on a deployment that is as it should be. */
async function seeDoctor(base: string, source: Made, replica: Made): Promise<string> {
  const eyes = { REPLICA_ADMIN_CLIENT_ID: replica.admin.id, REPLICA_ADMIN_CLIENT_SECRET: replica.admin.secret };
  const output = await npmRun('doctor', ['--json'], { env: { ...environmentOf(base, source), ...eyes } }, [0, 1, 2]);
  const { checks } = JSON.parse(output) as { checks: Finding[] };
  const broken = checks.filter(({ verdict }) => verdict === 'fail');
  if (broken.length > 0) {
    throw new Breach(broken.map(({ name, detail }) => `${name}: ${detail}`).join('; '));
  }
  const warned = checks.filter(({ verdict }) => verdict === 'warn').map(({ name, detail }) => `${name} (${detail})`);
  return `${checks.length - warned.length} ok${warned.length > 0 ? `, warnings: ${warned.join(', ')}` : ''}`;
}

async function cleanUp(server: Server, base: string, made: readonly Made[]): Promise<string> {
  const [source] = made;
  if (source) {
    await npmRun('undeploy', [], { env: environmentOf(base, source) });
  }
  const left: string[] = [];
  for (const project of made) {
    if (!(await removeProject(server, project))) {
      left.push(`Project/${project.projectId}`);
    }
  }
  if (left.length > 0) {
    throw new Breach(`not all of it could be removed: ${left.join(', ')}`);
  }
  return `${made.length} projects with their contents`;
}

function report(): void {
  const broken = rows.filter(({ isKept }) => !isKept);
  if (values.json) {
    console.log(JSON.stringify({ rows, kept: rows.length - broken.length, broken: broken.length }, null, 2));
    return;
  }
  const width = Math.max(...rows.map(({ promise }) => promise.length));
  say(
    '\n' +
      rows
        .map(
          ({ bot, promise, isKept, ms }) =>
            `${isKept ? 'ok    ' : 'BROKEN'}  ${bot.padEnd(15)}  ${promise.padEnd(width)}  ${String(ms).padStart(6)} ms`
        )
        .join('\n')
  );
  say(`\n${rows.length - broken.length} promises kept, ${broken.length} broken`);
}

const missing = NAMES.filter((name) => !process.env[name]);
if (values.help) {
  console.log(USAGE);
} else if (missing.length > 0) {
  console.log(
    `Skipped: not configured. ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing.\n\n${USAGE}`
  );
} else {
  await main(credentialsOf(process.env)).catch((error: unknown) =>
    test('server', 'is there and lets us in', () => Promise.reject(asError(error)))
  );
  report();
  process.exitCode = rows.every(({ isKept }) => isKept) ? 0 : 1;
}
