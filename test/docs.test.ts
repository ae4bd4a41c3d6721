/** The documents: every command in a block of the runbook is run against the sandbox, as people run it; links and named files exist. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { admit, consent, createWorld } from './support/world.ts';
import { setSettings } from './support/callers.ts';
import type { World } from './support/world.ts';

const root = join(import.meta.dirname, '..');
const runbook = readFileSync(join(root, 'docs', 'runbook.md'), 'utf8');

/** `npm run NAME -- ARGUMENTS`, once each. */
const commands = [
  ...new Set([...runbook.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'))),
];

let world: World;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  world = await createWorld({ settings: { AUDIT_SIGNING_KEY: '7f'.repeat(16) + '3b'.repeat(16) } });
  const { patient } = await admit(world);
  await consent(world, patient);
  const operator = await world.sandbox.source.createClient('operator', { admin: true });
  await setSettings(world, { ADMIN_CLIENTS: operator.reference });
  env = {
    PATH: process.env['PATH'],
    MEDPLUM_BASE_URL: world.sandbox.source.baseUrl,
    MEDPLUM_CLIENT_ID: operator.id,
    MEDPLUM_CLIENT_SECRET: operator.secret,
  };
  await world.settle();
});
afterAll(async () => {
  await world.close();
});

test('the runbook has commands, and each is a script of ours', () => {
  expect(commands.length).toBeGreaterThan(10);
  for (const command of commands) {
    expect(command).toMatch(/^npm run [a-z-]+( -- [\w ./-]+)?$/);
  }
});

test.each(commands)('%s', { timeout: 60_000 }, async (command) => {
  const [, name = '', rest = ''] = /^npm run ([a-z-]+)(?: -- (.*))?$/.exec(command) ?? [];
  const args = [`scripts/${name}.ts`, ...rest.split(' ').filter(Boolean)];
  const { code, text } = await promisify(execFile)(process.execPath, args, { env, cwd: root }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, text: stdout + stderr };
    }
  );
  // The doctor and the status say by their exit code what they have found; a command that is not understood ends with 2 and its usage.
  expect({ command, code, text }).toMatchObject({ code: ['doctor', 'status'].includes(name) ? expect.any(Number) : 0 });
  expect(text).not.toMatch(/Usage|unknown|Failed:|Error:|npm run admin -- ACTION/);
});

const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s+/g, '-')
  );

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs')).flatMap((file) => (file.endsWith('.md') ? [`docs/${file}`] : [])),
];

test.each(pages)('every link of %s leads somewhere', (page) => {
  for (const [, link = ''] of readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? join(root, page) : join(root, dirname(page), file);
    expect({ page, link, exists: existsSync(target) }).toMatchObject({ exists: true });
    if (anchor !== undefined) {
      expect({ page, link, anchors: anchorsOf(readFileSync(target, 'utf8')) }).toMatchObject({
        anchors: expect.arrayContaining([anchor]) as string[],
      });
    }
  }
});

test('what docs/security.md names is there', () => {
  const text = readFileSync(join(root, 'docs', 'security.md'), 'utf8');
  const named = [...text.matchAll(/`((?:src|test|docs)\/[\w./-]+|bots\.config\.json)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
