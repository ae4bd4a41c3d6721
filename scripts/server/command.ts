/** Runs one of our own npm scripts as a user would, and gives its output only when it fails. */
import { spawn } from 'node:child_process';
import { ROOT } from '../deploy/manifest.ts';

/**
 * @param script - The script of package.json.
 * @param args - Its arguments.
 * @param options - Environment in addition to ours, and text for its standard input; secrets go by neither argument.
 * @param codes - The exit codes that are no failure.
 * @returns What it printed.
 * @throws Error with its output when it exits with another code.
 */
export async function npmRun(
  script: string,
  args: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly input?: string },
  codes: readonly number[] = [0]
): Promise<string> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    shell: process.platform === 'win32',
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const text = Buffer.concat(output).toString('utf8');
  if (code === null || !codes.includes(code)) {
    throw new Error(`npm run ${script} ended with ${code}:\n${text}`);
  }
  return text;
}
