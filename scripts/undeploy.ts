/** Takes everything that `deploy` made out of the source project; Tasks, control records and the trail stay, unless purged. */
import { createInterface } from 'node:readline/promises';
import { systemsOf } from '../src/fhir/systems.ts';
import { apply } from './deploy/apply.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { writeConfig } from './deploy/config-file.ts';
import { gather, gatherProject } from './deploy/gather.ts';
import { planUndeploy, policiesInUse } from './deploy/plan.ts';
import { purgeable } from './deploy/purge.ts';
import type { Remnant } from './deploy/purge.ts';
import { secretsOf } from './deploy/secrets.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';
import type { Server } from './deploy/server.ts';
import { lineOf, rowOf } from './deploy/show.ts';
import { nameOf } from './deploy/wanted.ts';

const USAGE = 'npm run undeploy -- [--dry-run] [--purge] [--json]';

async function undeploy(args: readonly string[]): Promise<number> {
  const { values } = readArgs(
    args,
    { 'dry-run': { type: 'boolean' }, purge: { type: 'boolean' }, json: { type: 'boolean' } },
    USAGE
  );
  const say = values.json ? (): void => undefined : (line: string): void => console.log(line);
  const server = connect(credentialsOf(process.env));
  const project = await gatherProject(server);
  const systems = systemsOf(secretsOf(project.secrets).NAMESPACE?.valueString);
  const found = await gather(server, systems, false);
  const plan = planUndeploy(found);
  const remnants = values.purge ? await purgeable(server, systems) : [];

  say(`${project.projectName} (Project/${project.projectId})`);
  plan.forEach((action) => say(`  ${lineOf(action)}`));
  say(plan.length > 0 ? `  ${plan.length} changes` : '  nothing of ours is deployed');
  const warnings = policiesInUse([], found);
  warnings.forEach((warning) => say(`  ! ${warning}`));
  if (!values['dry-run']) {
    const isSure = remnants.length === 0 || (await isConfirmed(remnants, project.projectName));
    const target = { server, systems, projectId: project.projectId, bundles: [] };
    await apply(target, found, plan, () => undefined);
    writeConfig(
      [],
      found.bots.map(({ name }) => name)
    );
    if (remnants.length > 0) {
      say(isSure ? `  purging ${remnants.length} resources` : '  not purged: the name was not given');
    }
    await purge(server, isSure ? remnants : []);
    const left = planUndeploy(await gather(server, systems, false));
    if (left.length > 0) {
      throw new Refusal(
        `still there:\n  ${left.map(lineOf).join('\n  ')}`,
        'Run the same command again: every step can be repeated.'
      );
    }
    tell(values.json, { plan: plan.map(rowOf), purged: isSure ? remnants.length : 0 });
    return isSure ? 0 : 1;
  }
  say(remnants.length > 0 ? `  --purge would also delete ${countsOf(remnants)}` : '');
  tell(values.json, { plan: plan.map(rowOf), purgeable: remnants.length });
  return 0;
}

/** Asked on a terminal as well as through a pipe: the name of the project is hard to type by mistake. */
async function isConfirmed(remnants: readonly Remnant[], name: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  console.error(`  --purge also deletes ${countsOf(remnants)}.`);
  console.error(
    '  Without the links nobody can tell which copies on the replica belong to whom; the trail may have to be kept by law.'
  );
  const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  const answer = await Promise.race([lines.question(`  Type the project's name to delete them (${name}): `), ended]);
  lines.close();
  return answer.trim() === name;
}

function countsOf(remnants: readonly Remnant[]): string {
  const counts = Map.groupBy(remnants, ({ what }) => what);
  return [...counts].map(([what, rows]) => `${rows.length} ${what}`).join(', ');
}

async function purge(server: Server, remnants: readonly Remnant[]): Promise<void> {
  for (const { path } of remnants) {
    await server.remove(path);
  }
}

function tell(json: boolean | undefined, report: Readonly<Record<string, unknown>>): void {
  if (json) {
    console.log(
      JSON.stringify(
        { ...report, bots: [...new Set((report.plan as { owner: string }[]).map(({ owner }) => nameOf(owner)))] },
        null,
        2
      )
    );
  }
}

await runCommand(undeploy);
