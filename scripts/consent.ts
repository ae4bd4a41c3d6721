/** `npm run consent -- <command>`: decides, checks, gives and takes back Consents. Each command is a file in `scripts/consent`. */
import { readArgs, runCommand } from './deploy/arguments.ts';
import { Refusal } from './deploy/server.ts';
import { decide } from './consent/decide.ts';
import { grant } from './consent/grant.ts';
import { lint } from './consent/lint.ts';
import { proof } from './consent/proof.ts';
import { questionnaire } from './consent/questionnaire.ts';
import { revoke } from './consent/revoke.ts';
import { show } from './consent/show.ts';
import { OPTIONS, USAGE } from './consent/usage.ts';
import type { Command } from './consent/usage.ts';

const COMMANDS: Readonly<Record<string, Command>> = { decide, lint, grant, revoke, show, proof, questionnaire };

async function consent(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(args, OPTIONS, USAGE);
  const [name = '', ...rest] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    throw new Refusal(name ? `there is no command "${name}"` : 'no command', USAGE);
  }
  return command(values, rest);
}

await runCommand(consent);
