/** `npm start`, as a process: it tells its story, says where its page is, and ends when it is told to. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

test('it prints the URL of the page, which answers, and ends by a signal', { timeout: 120_000 }, async () => {
  const child = spawn(
    process.execPath,
    ['scripts/start.ts', '--port', '0', '--replica-port', '0', '--console-port', '0'],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }
  );
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      const found = /Open this in a browser.*?(http:\/\/127\.0\.0\.1:\d+\/)/s.exec(output)?.[1];
      if (found) {
        resolve(found);
      }
    });
    child.on('exit', () => reject(new Error(output)));
  });
  const html = await (await fetch(url)).text();
  expect(html).toContain('<h1>Consent sync <span>sandbox</span></h1>');
  expect(output).toMatch(/the consent is revoked/);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test('--exit tells the story and ends well, without a page', { timeout: 120_000 }, async () => {
  const child = spawn(process.execPath, ['scripts/start.ts', '--exit'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
  expect(output).toContain('what does the trail hold?');
  expect(output).not.toContain('Open this');
});
