/** `npm run deid`: what would leave, shown on the user's own data, without any server. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { checkKey } from '../src/config/key.ts';
import { DEFAULT_NAMESPACE, systemsOf } from '../src/fhir/systems.ts';
import type { ProjectKey } from '../src/rules/deid/keys.ts';
import { prepareInputs } from './deid/inputs.ts';
import { readCommand, USAGE } from './deid/options.ts';
import type { Request } from './deid/options.ts';
import { runPreview } from './deid/preview.ts';
import type { Counts } from './deid/preview.ts';

const { env, stdin, stdout } = process;

function tell(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** The key of the environment, or a throw-away one; the problem, without the key, when it will not do. */
function keyOf(): ProjectKey | { readonly problem: string } {
  const secret = env['PSEUDONYM_KEY']?.trim();
  const version = env['PSEUDONYM_KEY_VERSION'] ?? '1';
  if (!/^[1-9]\d{0,8}$/.test(version)) {
    return { problem: 'PSEUDONYM_KEY_VERSION must be a positive whole number.' };
  }
  if (secret) {
    const problem = checkKey(secret);
    return problem ? { problem: `PSEUDONYM_KEY is refused: ${problem}.` } : { version: Number(version), secret };
  }
  tell('No PSEUDONYM_KEY in the environment: a throw-away key is used. Tokens and dates are different in each run.');
  return { version: Number(version), secret: randomBytes(32).toString('hex') };
}

/** Writes to standard output, no faster than it is read. */
async function write(line: string): Promise<void> {
  if (!stdout.write(line)) {
    await once(stdout, 'drain');
  }
}

function summary({ copied, refused, unread }: Counts, { profile }: Request): string {
  const reasons = Object.entries(refused).sort(([a], [b]) => (a < b ? -1 : 1));
  const count = reasons.reduce((sum, [, each]) => sum + each, 0);
  const why = reasons.length > 0 ? ` (${reasons.map(([reason, each]) => `${reason}: ${each}`).join(', ')})` : '';
  const rest = unread > 0 ? ` ${unread} could not be read.` : '';
  return `${copied + count} resources: ${copied} would leave, ${count} would not${why}. Profile: ${profile}.${rest}`;
}

async function main(args: readonly string[]): Promise<number> {
  const command = readCommand(args);
  if (command.kind !== 'run') {
    const isHelp = command.kind === 'help';
    console[isHelp ? 'log' : 'error'](isHelp ? USAGE : `${command.message}\n\n${USAGE}`);
    return isHelp ? 0 : 2;
  }
  const key = keyOf();
  if ('problem' in key) {
    tell(key.problem);
    return 2;
  }
  const { request } = command;
  // npm starts scripts in the project's own folder; paths mean what they mean in the user's shell.
  const folder = env['INIT_CWD'] ?? process.cwd();
  if (request.inputs.includes('-') && stdin.isTTY) {
    tell('Reading standard input; end it with Ctrl-D.');
  }
  const paths = request.inputs.map((path) => (path === '-' ? path : resolve(folder, path)));
  const inputs = await prepareInputs(paths, stdin);
  // Whatever ends the process, what was kept of standard input goes.
  process.on('exit', () => inputs.close());
  const systems = systemsOf((env['NAMESPACE'] ?? DEFAULT_NAMESPACE).replace(/\/*$/, ''));
  const at = new Date().toISOString();
  const counts = await runPreview({ ...request, inputs: inputs.all, key, systems, at, write, tell });
  tell(summary(counts, request));
  return counts.unread > 0 ? 1 : 0;
}

// A reader that has seen enough (`| head`) is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
}
process.exitCode = await main(process.argv.slice(2));
