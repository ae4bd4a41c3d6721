#!/usr/bin/env node
/**
 * Runs a task of this project on the Node version that the project pins, after installing what is missing.
 * Plain JavaScript without dependencies: it is the one file that must run on whatever Node (20 or later) is there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isWindows = process.platform === 'win32';
const build = ['scripts/build.ts', '--quiet'];
const typecheck = (project) => ['node_modules/typescript/bin/tsc', '-p', project];

/** What each task runs, in order; only the last command receives the arguments. `test` builds in its global setup. */
const TASKS = {
  start: [build, ['scripts/start.ts']],
  demo: [build, ['scripts/demo.ts']],
  screenshots: [build, ['scripts/screenshots.ts']],
  'test-monitoring': [build, ['scripts/test-monitoring.ts']],
  bench: [build, ['scripts/bench.ts']],
  build: [['scripts/build.ts']],
  test: [['node_modules/vitest/vitest.mjs', 'run']],
  typecheck: [typecheck('.'), typecheck('scripts'), typecheck('test')],
  lint: [['node_modules/eslint/bin/eslint.js', '--max-warnings=0']],
  format: [['node_modules/prettier/bin/prettier.cjs', '--write', '--log-level=warn']],
  'format:check': [['node_modules/prettier/bin/prettier.cjs', '--check']],
  check: [['bash', '.ci/run']],
  // Medplum's own CLI needs a newer Node than ours asks of the user.
  medplum: [['node_modules/@medplum/cli/dist/cjs/index.cjs']],
};

/** What a task works on unless it is told. */
const DEFAULT_ARGS = { format: ['.'], 'format:check': ['.'] };

/** A task without a row is the script of its name, if there is one: `docs` is `scripts/docs.ts`. */
function commandsOf(task) {
  if (Object.hasOwn(TASKS, task)) {
    return TASKS[task];
  }
  return /^[\w-]+$/.test(task) && existsSync(join(root, 'scripts', `${task}.ts`))
    ? [[`scripts/${task}.ts`]]
    : undefined;
}

let child;
let stopped = false;
// A terminal sends Ctrl-C to the children as well; we stay until they have finished, and pass on only what they cannot have seen.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopped = true;
    if (signal !== 'SIGINT' || !process.stdin.isTTY) {
      child?.kill(signal);
    }
  });
}
// npm runs us in a shell that dies of a SIGTERM without passing it on: when the shell is gone, so are we.
const parent = process.ppid;
if (process.env.npm_lifecycle_event) {
  setInterval(() => {
    if (process.ppid !== parent && !stopped) {
      stopped = true;
      child?.kill('SIGTERM');
    }
  }, 250).unref();
}

/** Runs one command to its end; resolves with its exit code. */
function run(command, args, options) {
  return new Promise((resolve) => {
    child = spawn(command, args, { cwd: root, ...options });
    child.on('error', (error) => {
      console.error(`Cannot run ${command}: ${error.message}`);
      resolve(127);
    });
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(join(root, lockfile), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Whether node_modules is what package-lock.json says; npm notes what it installed in a lockfile of its own. */
function isInstalled() {
  const installed = packagesIn('node_modules/.package-lock.json');
  if (!installed) {
    return false;
  }
  return Object.entries(packagesIn('package-lock.json') ?? {}).every(([path, { version, optional, peer }]) => {
    // Packages for other platforms, and optional peers, are locked but not installed.
    const isOptional = Boolean(optional || peer);
    return path === '' || (installed[path] ? installed[path].version === version : isOptional);
  });
}

async function install() {
  console.error('Installing the locked dependencies with `npm ci` (once; this can take a minute) …');
  // npm may be running us on the Node inside node_modules, which `npm ci` is about to replace: use npm's own.
  const { npm_execpath: npmCli, npm_node_execpath: npmNode } = process.env;
  const viaNode = npmCli?.endsWith('npm-cli.js') ? [npmNode ?? process.execPath, npmCli] : undefined;
  const [command, ...prefix] = viaNode ?? ['npm'];
  // `--include=dev`: everything we need is a devDependency, and NODE_ENV=production would leave them out.
  const args = [...prefix, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const output = [];
  const installed = run(command, args, { stdio: ['ignore', 'pipe', 'pipe'], shell: isWindows && !viaNode });
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  const code = await installed;
  if (code !== 0 && !stopped) {
    process.stderr.write(Buffer.concat(output));
    console.error(`\n\`npm ci\` failed (exit code ${code}); its output is above.`);
    console.error(isWindows ? 'If a file was in use (EPERM, EBUSY): run `npm ci` yourself, then try again.' : '');
  }
  return code;
}

/** The Node to run on: the pinned one, or ours if that is missing and ours runs TypeScript (22.18 and later). */
function findNode() {
  const pinned = join(root, 'node_modules', 'node', 'bin', isWindows ? 'node.exe' : 'node');
  if (existsSync(pinned) && spawnSync(pinned, ['--version'], { stdio: 'ignore' }).status === 0) {
    return [pinned];
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) {
    return [process.execPath, '--disable-warning=ExperimentalWarning'];
  }
  console.error(`The pinned Node does not run here (${pinned}), and this is Node ${process.versions.node}.`);
  console.error('Its install script was blocked (try `npm rebuild node --ignore-scripts=false`), or there is none for');
  console.error('this system. Any Node from 24 on, or 22.18 on, also does: start the same command with that.');
  return undefined;
}

async function main([task = '', ...args]) {
  const commands = commandsOf(task);
  if (!commands) {
    console.error(`Unknown task "${task}". Tasks: ${Object.keys(TASKS).join(', ')}, or a script in scripts/.`);
    return 2;
  }
  const code = isInstalled() ? 0 : await install();
  if (code !== 0) {
    return code;
  }
  const [node, ...flags] = findNode() ?? [];
  if (!node) {
    return 1;
  }
  for (const [index, [file, ...fixed]] of commands.entries()) {
    const own = index < commands.length - 1 ? [] : args.length > 0 ? args : (DEFAULT_ARGS[task] ?? []);
    const result =
      file === 'bash'
        ? await run(file, [...fixed, ...own], { stdio: 'inherit' })
        : await run(node, [...flags, file, ...fixed, ...own], { stdio: 'inherit' });
    if (result !== 0 || stopped) {
      return result;
    }
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
