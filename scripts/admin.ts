/** `npm run admin -- <action> …`: asks the bot `admin`. Actions, options and help are the rows of its table; no action has code here. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ACTIONS } from '../src/bots/actions.ts';
import { systemsOf } from '../src/fhir/systems.ts';
import { readCommand, usageOf } from './admin/command.ts';
import type { Command } from './admin/command.ts';
import { rendered } from './admin/render.ts';
import { runCommand } from './deploy/arguments.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';

const PERSONAL =
  'is about one patient. Pseudonymised is not anonymous: it is personal data. Keep it out of repositories, tickets and shared folders, and delete it when it has been read.';

/** Exit codes: 0 done; 1 refused, failed, or something is left to do; 2 not understood, and nothing was asked. */
async function admin(args: readonly string[]): Promise<number> {
  const command = readCommand(ACTIONS, args);
  if ('usage' in command) {
    (command.isError ? console.error : console.log)(command.usage);
    return command.isError ? 2 : 0;
  }
  const answer = await ask(command);
  const { page, problems = [] } = answer as { readonly page?: unknown; readonly problems?: readonly string[] };
  const text = command.isJson || command.out ? JSON.stringify(answer, undefined, 2) : rendered(answer);
  const shown = typeof page === 'string' && !command.isJson ? page : text;
  if (command.out) {
    const file = resolve(process.env['INIT_CWD'] ?? '.', command.out);
    writeFileSync(file, `${shown}\n`, { mode: 0o600 });
    console.error(`${file} ${PERSONAL}`);
  } else {
    console.log(shown);
  }
  return problems.length > 0 ? 1 : 0;
}

async function ask({ name, input }: Command): Promise<object> {
  const credentials = credentialsOf(process.env);
  const { bot } = systemsOf(process.env['NAMESPACE']?.replace(/\/*$/, ''));
  const path = `${credentials.fhirPath.replace(/^\/+|\/*$/g, '')}/Bot/$execute?identifier=${encodeURIComponent(`${bot}|admin`)}`;
  try {
    return await connect(credentials).call<object>('POST', path, { action: name, ...input });
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
    const said = error.message.replace(/^.*?: \d{3} /, '');
    throw new Refusal(said || error.message, remedyOf(error), error.status);
  }
}

/** What an answer of the bot usually means to somebody who operates it. */
function remedyOf({ message, status, remedy }: Refusal): string {
  if (message.includes('Only an ADMIN')) {
    return 'List the ClientApplication in the setting ADMIN_CLIENTS; people need a PractitionerRole ADMIN. The refusal is in the trail.';
  }
  if (status === 403 || status === 404) {
    return 'Is the bot deployed (`npm run deploy`), and may this client read it? Whoever can read a Bot can call it.';
  }
  return status === 400 ? usageOf(ACTIONS) : remedy;
}

await runCommand(admin);
