/** Bundles every bot of bots.config.json into one CommonJS file: `src/bots/<name>.ts` → `dist/<name>.js`. */
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import type { Plugin } from 'esbuild';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BOT_LAYER } from './bot-layer.ts';
import { policyProblems } from './build/policy-problems.ts';
import type { Policy } from './build/policy-problems.ts';

/**
 * A bot's code travels with every deploy and is compiled at every run. All of the consent rules (28 kB) and of
 * de-identification with its second checker and the tables of 15 types (45 kB) are in each bot that copies; README, "Decisions", says why it is not 60.
 */
export const BUDGET_BYTES = 190_000;

const root = join(import.meta.dirname, '..');

/** Stands in a bundle for the hash of the rest of it, until that is known. */
const UNHASHED = '0'.repeat(12);

export interface BuiltBot {
  readonly name: string;
  /** `<package version>+<hash of the bundle>`: what the bot answers when asked `{"probe":"version"}`. */
  readonly version: string;
  /** Absolute path in `dist/`. */
  readonly file: string;
  readonly code: string;
  readonly bytes: number;
  /** The files that went in, relative to the project. */
  readonly inputs: readonly string[];
}

/** Why a setting is there is for readers of docs/settings.md, and too long to travel with every bot. */
const slimSettings: Plugin = {
  name: 'slim-settings',
  setup(context) {
    context.onLoad({ filter: /src[\\/]config[\\/](partner-)?settings\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/\bwhy:\s*'(?:[^'\\]|\\.)*',?/g, ''),
      loader: 'ts',
    }));
  },
};

/** A bot needs the policy and its own time limit of the manifest; triggers, access and prose are for the deployment. */
const slimManifest = (policy: object): Plugin => ({
  name: 'slim-manifest',
  setup(context) {
    context.onLoad({ filter: /bots\.config\.json$/ }, () => {
      const { bots } = readJson<{ bots: (Named & { timeoutSeconds: number })[] }>('bots.config.json');
      const slim = { bots: bots.map(({ name, timeoutSeconds }) => ({ name, timeoutSeconds })), policy };
      return { contents: JSON.stringify(slim), loader: 'json' };
    });
  },
});

interface Named {
  readonly name: string;
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as T;
}

/** What to build instead of what `bots.config.json` says, for a sandbox. */
export interface BuildOptions {
  readonly profile?: string | undefined;
  /** Types that have stubs. */
  readonly stubs?: readonly string[] | undefined;
  /** Types whose originals are kept. */
  readonly originals?: readonly string[] | undefined;
}

function withStubs(types: Policy['types'], stubs: readonly string[]): Policy['types'] {
  return Object.fromEntries(
    Object.entries(types).map(([type, row]) => [type, 'stub' in row ? { ...row, stub: stubs.includes(type) } : row])
  );
}

function withOriginals(types: Policy['types'], originals: readonly string[]): Policy['types'] {
  return Object.fromEntries(
    Object.entries(types).map(([type, row]) => [type, { ...row, payload: originals.includes(type) }])
  );
}

async function bundle(name: string, version: string, policy: object): Promise<BuiltBot> {
  const source = `src/bots/${name}.ts`;
  if (!existsSync(join(root, source))) {
    throw new Error(`bots.config.json names the bot "${name}", but there is no ${source}`);
  }
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile: `dist/${name}.js`,
    write: false,
    metafile: true,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minify: true,
    legalComments: 'none',
    external: [...BOT_LAYER],
    plugins: [slimManifest(policy), slimSettings],
    define: { __VERSION__: JSON.stringify(`${version}+${UNHASHED}`) },
    // Medplum's vm wrapper declares its own `exports` and reads `exports.handler`; esbuild assigns `module.exports`.
    footer: { js: 'Object.assign(exports, module.exports);' },
    logLevel: 'silent',
  });
  // The wrapper appends its own code right after ours, so the last character has to end a statement.
  const unhashed = outputFiles[0]!.text.trimEnd();
  const hash = createHash('sha256').update(unhashed).digest('hex').slice(0, UNHASHED.length);
  const code = unhashed.replaceAll(`${version}+${UNHASHED}`, `${version}+${hash}`);
  return {
    name,
    version: `${version}+${hash}`,
    file: join(root, 'dist', `${name}.js`),
    code,
    bytes: Buffer.byteLength(code),
    inputs: Object.keys(metafile.inputs),
  };
}

/** By rename, so that a bundle read while another process builds is old or new, never half. */
function write(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}

/**
 * Builds all bots, and removes what an earlier build left of bots that are no more. With another policy nothing is written: `dist/` is always
 * what `bots.config.json` says.
 *
 * @param options - Another policy.
 * @returns The bundles, in the order of bots.config.json.
 */
export async function buildBots({ profile, stubs, originals }: BuildOptions = {}): Promise<BuiltBot[]> {
  const { bots, policy: own } = readJson<{ bots: Named[]; policy: Policy }>('bots.config.json');
  const chosen = { ...own, ...(profile && { profile }) };
  const stubbed = stubs ? { ...chosen, types: withStubs(chosen.types, stubs) } : chosen;
  const policy = originals ? { ...stubbed, types: withOriginals(stubbed.types, originals) } : stubbed;
  const problems = policyProblems(policy);
  if (problems.length > 0) {
    throw new Error(problems.join('; '));
  }
  const { version } = readJson<{ version: string }>('package.json');
  const built = await Promise.all(bots.map(({ name }) => bundle(name, version, policy)));
  if (profile || stubs || originals) {
    return built;
  }
  const dist = join(root, 'dist');
  mkdirSync(dist, { recursive: true });
  // The project is ESM; its bundles are not. Without this line, `require` would read them as modules.
  write(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
  built.forEach(({ file, code }) => write(file, code));
  const current = new Set(built.map(({ name }) => `${name}.js`));
  readdirSync(dist)
    .filter((name) => name.endsWith('.js') && !current.has(name))
    .forEach((name) => rmSync(join(dist, name)));
  return built;
}

/**
 * Renders name · kB · budget, a line each.
 *
 * @param built - The bundles.
 * @returns The table, and how many are over budget.
 */
export function sizes(built: readonly BuiltBot[]): { table: string; over: number } {
  const isOver = ({ bytes }: BuiltBot): boolean => bytes > BUDGET_BYTES;
  const width = Math.max(...built.map(({ name }) => name.length), 3);
  const rows = built.map((bot) => {
    const kB = (bot.bytes / 1000).toFixed(1).padStart(6);
    return `${bot.name.padEnd(width)}  ${kB} kB of ${BUDGET_BYTES / 1000} kB${isOver(bot) ? '  OVER BUDGET' : ''}`;
  });
  return { table: rows.join('\n'), over: built.filter(isOver).length };
}

// Not `import.meta.main`: Node 22, our fallback, does not know it.
if (process.argv[1] === import.meta.filename) {
  try {
    const built = await buildBots();
    const { table, over } = sizes(built);
    if (over > 0 || !process.argv.includes('--quiet')) {
      console.log(`${table}\n${built.length} bots in ${relative(process.cwd(), join(root, 'dist')) || '.'}/`);
    }
    process.exitCode = over > 0 ? 1 : 0;
  } catch (error) {
    console.error(`Build failed: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
