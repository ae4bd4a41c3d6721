/** The command lines of `deploy`, `undeploy` and `secrets`. */
import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import { Refusal } from './server.ts';

/**
 * Reads a command line, and refuses what it does not know: a misspelt `--dry-run` must not deploy.
 *
 * @param args - The arguments.
 * @param options - As in `node:util`.
 * @param usage - Shown when something is wrong.
 * @returns Values and positionals.
 * @throws Refusal with the usage.
 */
export function readArgs<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  usage: string
): { values: ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>>['values']; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values, positionals };
  } catch (error) {
    throw new Refusal((error as Error).message, usage);
  }
}

/**
 * Runs a command, and turns its failure into text and exit code 1.
 *
 * @param main - The command; it answers the exit code.
 */
export async function runCommand(main: (args: readonly string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const { message, remedy, stack } = error as Refusal;
    console.error(error instanceof Refusal ? `\nFailed: ${message}\n→ ${remedy}` : (stack ?? message));
    process.exitCode = 1;
  }
}
