/** The Project secrets of the source: written from the environment or standard input, checked, rotated; never shown. */
import type { Basic } from '@medplum/fhirtypes';
import { text } from 'node:stream/consumers';
import { PROFILE } from '../src/config/policy.ts';
import { systemsOf } from '../src/fhir/systems.ts';
import { ALL_SETTINGS } from '../src/config/all-settings.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { gather, gatherProject } from './deploy/gather.ts';
import type { ProjectFacts } from './deploy/gather.ts';
import {
  leftUnderFormer,
  mergeSecrets,
  problemsOfSecrets,
  rotationOf,
  secretsOf,
  valuesOfEnv,
  valuesOfText,
} from './deploy/secrets.ts';
import type { SecretList } from './deploy/secrets.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';
import { writeSecrets } from './deploy/write-secrets.ts';
import type { Server } from './deploy/server.ts';

const USAGE = `npm run secrets -- push [--stdin] | check | rotate <name> [--stdin]   (values come from the environment, or with --stdin as NAME=value lines or JSON; never from the command line)`;

/** Which bot walks over everything, and so brings every copy under the new key. */
const RECONCILER = 'reconcile';

async function secrets(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(args, { stdin: { type: 'boolean' } }, USAGE);
  const [command, name, ...rest] = positionals;
  const isUnderstood = rest.length === 0 && (command === 'rotate' ? name : !name);
  if (!isUnderstood || positionals.some((each) => each.includes('='))) {
    // What stands in argv is in the shell's history and in the list of processes.
    throw new Refusal('not understood', USAGE);
  }
  const given = values.stdin ? valuesOfText(await text(process.stdin)) : valuesOfEnv(process.env);
  const server = connect(credentialsOf(process.env));
  const project = await gatherProject(server);
  console.log(`${project.projectName} (Project/${project.projectId})`);
  switch (command) {
    case 'push':
      return push(server, project, given);
    case 'check':
      return check(project.secrets);
    case 'rotate':
      return rotate(server, project, name!, given.get(name!));
    default:
      throw new Refusal(`unknown command ${command ?? ''}`, USAGE);
  }
}

async function push(server: Server, project: ProjectFacts, given: ReadonlyMap<string, string>): Promise<number> {
  if (given.size === 0) {
    throw new Refusal(
      'no setting was given',
      'Set variables with the names of the settings (docs/settings.md), or use --stdin.'
    );
  }
  const isRekeyed = ['PSEUDONYM_KEY', 'PSEUDONYM_KEY_VERSION', 'PSEUDONYM_KEY_PREVIOUS'].filter((name) => {
    const before = secretsOf(project.secrets)[name]?.valueString;
    return before !== undefined && given.has(name) && given.get(name) !== before;
  });
  if (isRekeyed.length > 0 && (await hasLinks(server, project))) {
    throw new Refusal(
      `${isRekeyed.join(' and ')} would be replaced`,
      'Every pseudonym hangs on it: `npm run secrets -- rotate PSEUDONYM_KEY` keeps the old key for reading.'
    );
  }
  const { list, added, changed, same } = mergeSecrets(project.secrets, given);
  const problems = problemsOfSecrets(list);
  const own = problems.filter((problem) => [...given.keys()].some((name) => problem.startsWith(name)));
  if (own.length > 0) {
    throw new Refusal(own.join('\n  '), 'Nothing was written.');
  }
  if (added.length + changed.length > 0) {
    await writeSecrets(server, project, list);
  }
  show('added', added);
  show('changed', changed);
  show('unchanged', same);
  problems.forEach((problem) => console.log(`  ! ${problem}`));
  return 0;
}

/** A link is written before anything is sent: without any, no pseudonym exists, and the key may still be replaced. */
async function hasLinks(server: Server, project: ProjectFacts): Promise<boolean> {
  const { control } = systemsOf(secretsOf(project.secrets).NAMESPACE?.valueString);
  const links = await server.search(`Basic?code=${encodeURIComponent(`${control}|patient-link`)}&_fields=id`);
  return links.length > 0;
}

function check(list: SecretList): number {
  const problems = problemsOfSecrets(list);
  const values = secretsOf(list);
  for (const setting of ALL_SETTINGS) {
    const names = [setting.name, ...(setting.aliases ?? [])].filter((name) => values[name]?.valueString);
    const state = names[0]
      ? names[0] === setting.name
        ? 'set'
        : `set, as ${names[0]}`
      : setting.fallback !== undefined
        ? 'default'
        : setting.optional
          ? 'not set'
          : 'MISSING';
    console.log(`  ${setting.name.padEnd(24)} ${state}`);
  }
  problems.forEach((problem) => console.log(`  ! ${problem}`));
  return problems.length > 0 ? 1 : 0;
}

async function rotate(server: Server, project: ProjectFacts, name: string, given: string | undefined): Promise<number> {
  const { values, keptAs } = rotationOf(project.secrets, name, given);
  const isPseudonymKey = name === 'PSEUDONYM_KEY';
  if (isPseudonymKey && PROFILE === 'safe-harbor') {
    throw new Refusal(
      'no copy hangs on PSEUDONYM_KEY in profile safe-harbor',
      'Nothing was written: each patient has a random secret there.'
    );
  }
  const systems = systemsOf(secretsOf(project.secrets).NAMESPACE?.valueString);
  const bots = keptAs ? (await gather(server, systems, false)).bots : [];
  const reconciler = bots.find((bot) => bot.name === RECONCILER);
  if (isPseudonymKey && !reconciler) {
    throw new Refusal(
      `the bot ${RECONCILER} is not deployed`,
      'Nothing was written: without it, the copies under the old key would stay on the replica. Deploy it first.'
    );
  }
  const left = keptAs ? leftUnderFormer(name, project.secrets, await controlsOf(server, project, name)) : 0;
  if (left > 0) {
    throw new Refusal(
      `${left} ${isPseudonymKey ? 'patients may still have copies' : 'originals still lie'} under the key before the present one`,
      `Nothing was written: two keys are readable at once, not three. Run the bot ${RECONCILER} to its end, and again ten minutes later.`
    );
  }
  const { list, changed, added } = mergeSecrets(project.secrets, values);
  const problems = problemsOfSecrets(list);
  if (problems.length > 0) {
    throw new Refusal(problems.join('\n  '), 'Nothing was written.');
  }
  await writeSecrets(server, project, list);
  show('changed', changed);
  show('added', added);
  if (keptAs) {
    console.log(`  the old key stays as ${keptAs}, for reading`);
  }
  if (reconciler) {
    // It answers when its time is up, not when all is done; its checkpoint and its schedule do the rest.
    const answer = await server.execute<unknown>(reconciler.bot.id, { action: 'run' });
    console.log(`  ${RECONCILER} completes it, also when its time is up now: ${JSON.stringify(answer)}`);
  }
  return 0;
}

/** Where it is written what lies under which key. */
async function controlsOf(server: Server, project: ProjectFacts, name: string): Promise<Basic[]> {
  const { control } = systemsOf(secretsOf(project.secrets).NAMESPACE?.valueString);
  const code = name === 'PSEUDONYM_KEY' ? 'patient-link' : 'payload';
  return server.search<Basic>(`Basic?code=${encodeURIComponent(`${control}|${code}`)}`);
}

function show(what: string, names: readonly string[]): void {
  if (names.length > 0) {
    console.log(`  ${what}: ${names.join(', ')}`);
  }
}

await runCommand(secrets);
