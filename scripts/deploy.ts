/** Compares `bots.config.json` with the source project, prints the difference, removes it, and looks again. */
import { systemsOf } from '../src/fhir/systems.ts';
import { buildBots } from './build.ts';
import type { BuiltBot } from './build.ts';
import { apply } from './deploy/apply.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { writeConfig } from './deploy/config-file.ts';
import { gather, gatherProject, strangersOf } from './deploy/gather.ts';
import type { ProjectFacts } from './deploy/gather.ts';
import { problemsOf } from './deploy/judge.ts';
import { forSecrets, readManifest, RUNTIMES } from './deploy/manifest.ts';
import type { Manifest, Runtime } from './deploy/manifest.ts';
import { only, planDeploy, policiesInUse } from './deploy/plan.ts';
import type { Action, Found } from './deploy/plan.ts';
import { findReaders } from './deploy/readers.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';
import type { Server } from './deploy/server.ts';
import { lineOf, rowOf } from './deploy/show.ts';
import { secretsOf } from './deploy/secrets.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { nameOf, wantedOf } from './deploy/wanted.ts';

const USAGE = `npm run deploy -- [--dry-run] [--only <bot>] [--prune] [--json] [--runtime ${RUNTIMES.join('|')}] [--manifest <file>]`;

/** Text goes to people, or nothing but one JSON document to programs. */
interface Voice {
  readonly say: (line: string) => void;
}

interface Report {
  readonly project: string;
  readonly plan: readonly Action[];
  readonly applied: readonly Action[];
  /** Not in the manifest any more, and left, for want of `--prune`. */
  readonly left: readonly Action[];
  readonly warnings: readonly string[];
  readonly health?: unknown;
}

async function deploy(args: readonly string[]): Promise<number> {
  const { values } = readArgs(
    args,
    {
      'dry-run': { type: 'boolean' },
      only: { type: 'string' },
      prune: { type: 'boolean' },
      json: { type: 'boolean' },
      runtime: { type: 'string' },
      manifest: { type: 'string' },
    },
    USAGE
  );
  const voice: Voice = { say: values.json ? () => undefined : (line) => console.log(line) };
  const whole = readManifest(values.manifest);
  const built = await build();
  const runtime = runtimeOf(values.runtime ?? process.env.MEDPLUM_BOT_RUNTIME);
  judge(whole, built, values.only);

  const server = connect(credentialsOf(process.env));
  const project = await gatherProject(server);
  const secrets = secretsOf(project.secrets);
  const manifest = forSecrets(whole, secrets);
  requireFeatures(manifest, project);
  const systems = systemsOf(secrets.NAMESPACE?.valueString);
  const replica = await findReaders(secrets, project.projectId);
  if (replica.problems.length > 0) {
    throw new Refusal(
      replica.problems.join('; '),
      'Set the secrets REPLICA_* to the replica: `npm run secrets -- push`.'
    );
  }

  const all = wantedOf(manifest, { systems, built, runtime });
  const wanted = only(all, values.only);
  const look = async (): Promise<{ found: Found; plan: Action[] }> => {
    const found = await gather(server, systems);
    return { found, plan: only(planDeploy(all, found), values.only) };
  };
  const { found, plan } = await look();
  const warnings = [
    ...replica.warnings,
    ...policiesInUse(all, found),
    ...(await strangersOf(server, found)).map((stranger) => `${stranger}, and is not ours`),
  ];
  const steps = plan.filter(({ isPrune }) => !isPrune || values.prune);
  const left = plan.filter(({ isPrune }) => isPrune && !values.prune);
  const report: Report = { project: project.projectName, plan, applied: [], left, warnings };

  voice.say(`${project.projectName} (Project/${project.projectId})`);
  steps.forEach((action) => voice.say(`  ${lineOf(action)}`));
  voice.say(steps.length > 0 ? `  ${steps.length} changes` : '  no changes');
  if (!values['dry-run']) {
    const target = { server, systems, projectId: project.projectId, bundles: built };
    const applied: Action[] = [];
    await carryOut(steps, applied, () => apply(target, found, steps, (action) => applied.push(action)));
    const after = steps.length > 0 ? await settled(look) : { found, plan };
    const open = after.plan.filter(({ isPrune }) => !isPrune || values.prune);
    if (open.length > 0) {
      throw new Refusal(
        `the server does not hold what was written:\n  ${open.map(lineOf).join('\n  ')}`,
        'Run the same command again; if it stays, somebody or something else changes these.'
      );
    }
    const bots = after.found.bots.filter(({ name }) => manifest.bots.some((bot) => bot.name === name));
    bots
      .filter(({ name }) => !values.only || name === values.only)
      .forEach(({ name, version }) => voice.say(`  ✓ ${name} runs ${version}`));
    const gone = applied
      .filter(({ verb, kind }) => verb === 'delete' && kind === 'bot')
      .map(({ owner }) => nameOf(owner));
    writeConfig(
      bots.map(({ name, bot }) => ({ name, id: bot.id })),
      gone.filter((name) => !bots.some((bot) => bot.name === name))
    );
    const health = wanted.length > 0 ? await askHealth(server, after.found, manifest, voice) : undefined;
    tell({ ...report, applied, health: health?.answer }, voice, values.json);
    if (health && !health.isWell) {
      throw new Refusal(
        'everything is deployed, but the bots are not well: see `health` above',
        '`npm run secrets -- check` judges the settings; `npm run doctor` looks closer.'
      );
    }
    return 0;
  }
  tell(report, voice, values.json);
  return 0;
}

async function build(): Promise<BuiltBot[]> {
  try {
    return await buildBots();
  } catch (error) {
    throw new Refusal(`the build failed: ${(error as Error).message}`, 'Nothing was sent. `npm run check` says more.');
  }
}

function runtimeOf(text: string | undefined): Runtime | undefined {
  const runtime = RUNTIMES.find((each) => each === text);
  if (text && !runtime) {
    throw new Refusal(`unknown runtime ${text}`, USAGE);
  }
  return runtime;
}

function judge(manifest: Manifest, built: readonly BuiltBot[], onlyBot: string | undefined): void {
  const problems = problemsOf(manifest, built);
  if (problems.length > 0) {
    throw new Refusal(`bots.config.json:\n  ${problems.join('\n  ')}`, 'Nothing was sent. Repair the manifest first.');
  }
  if (onlyBot && !manifest.bots.some(({ name }) => name === onlyBot)) {
    throw new Refusal(
      `there is no bot ${onlyBot} in bots.config.json`,
      `Its bots: ${manifest.bots.map(({ name }) => name).join(', ')}.`
    );
  }
}

function requireFeatures({ bots }: Manifest, { features }: ProjectFacts): void {
  const needed = ['bots', ...(bots.some(({ triggers }) => triggers.some(({ cron }) => cron)) ? ['cron'] : [])];
  const missing = needed.filter((feature) => !features.includes(feature));
  if (missing.length > 0) {
    throw new Refusal(
      `the project lacks the feature ${missing.join(' and ')}`,
      'A super admin adds it to Project.features; without it bots are accepted and never run.'
    );
  }
}

async function carryOut(
  steps: readonly Action[],
  applied: readonly Action[],
  work: () => Promise<void>
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
    const failed = steps[applied.length];
    throw new Refusal(
      `${failed ? `${lineOf(failed)}: ` : ''}${error.message}\n  ${applied.length} of ${steps.length} changes are made`,
      error.remedy,
      error.status
    );
  }
}

/** What was just written can stay invisible to searches for up to a second (`platform.md` §4.8). */
async function settled(
  look: () => Promise<{ found: Found; plan: Action[] }>
): Promise<{ found: Found; plan: Action[] }> {
  for (let tries = 1; ; tries++) {
    const seen = await look();
    if (tries === 4 || seen.plan.every(({ isPrune }) => isPrune)) {
      return seen;
    }
    await sleep(500 * tries);
  }
}

/** The bot `health`, if there is one, has the last word. */
async function askHealth(
  server: Server,
  { bots }: Found,
  manifest: Manifest,
  { say }: Voice
): Promise<{ answer: unknown; isWell: boolean } | undefined> {
  const bot = manifest.bots.some(({ name }) => name === 'health')
    ? bots.find(({ name }) => name === 'health')
    : undefined;
  if (!bot) {
    return undefined;
  }
  try {
    const answer = await server.execute<{ status?: string } | undefined>(bot.bot.id, {});
    say(`  health: ${JSON.stringify(answer)}`);
    return { answer, isWell: answer?.status !== 'unhealthy' };
  } catch (error) {
    say(`  health: ${(error as Error).message}`);
    return { answer: (error as Error).message, isWell: false };
  }
}

function tell(
  { project, plan, applied, left, warnings, health }: Report,
  { say }: Voice,
  json: boolean | undefined
): void {
  left.forEach((action) => say(`  left: ${lineOf(action)}`));
  if (left.length > 0) {
    say('  These are of bots or roles that are no longer in the manifest: `--prune` removes them.');
  }
  warnings.forEach((warning) => say(`  ! ${warning}`));
  if (json) {
    const rows = { plan: plan.map(rowOf), applied: applied.map(rowOf), left: left.map(rowOf) };
    console.log(JSON.stringify({ project, ...rows, warnings, ...(health !== undefined && { health }) }, null, 2));
  }
}

await runCommand(deploy);
