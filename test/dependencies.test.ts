/** What the project needs and what it tells of the machine it was written on. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const IGNORED = ['.git', 'node_modules', 'dist', 'out', 'coverage'];

/** The project's files: what git would commit, or, in a copy without git, all but what is generated. */
function projectFiles(): string[] {
  const listed = existsSync(join(root, '.git'))
    ? execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
        cwd: root,
        encoding: 'utf8',
      }).split('\0')
    : readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
        (file) => !IGNORED.includes(file.split(/[\\/]/)[0] ?? '')
      );
  // A file deleted and not yet committed is still listed.
  return listed.filter((file) => file !== '' && statSync(join(root, file), { throwIfNoEntry: false })?.isFile());
}

interface Finding {
  readonly what: string;
  readonly pattern: RegExp;
}

/** Written so that this file does not find itself. */
const OF_ONE_MACHINE: readonly Finding[] = [
  { what: 'a path of the machine it was written on', pattern: /(?:^|[^a-z.])\/(?:work|farm)\//m },
  { what: 'a package registry', pattern: /registry\.(?:npmjs|yarnpkg)|deb\.debian|npm\.pkg\.github/ },
];

function findings(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([file, text]) =>
    OF_ONE_MACHINE.filter(({ pattern }) => pattern.test(text)).map(({ what }) => `${file}: names ${what}`)
  );
}

/** The packages that no source imports, runs from node_modules, or, for types, names in a tsconfig. */
function unused(dependencies: readonly string[], sources: ReadonlyMap<string, string>): string[] {
  return dependencies.filter((dependency) => {
    const name = dependency.replace(/[.]/g, '\\.');
    const use = dependency.startsWith('@types/')
      ? new RegExp(`"types": \\[[^\\]]*"${name.slice('@types/'.length)}"`)
      : new RegExp(`(?:\\bfrom |\\bimport |\\(|node_modules', )['"]${name}['"/]|node_modules/${name}/`);
    return ![...sources.values()].some((text) => use.test(text));
  });
}

const files = new Map(
  projectFiles().map((file) => [file.replaceAll('\\', '/'), readFileSync(join(root, file), 'utf8')])
);

const sources = new Map([...files].filter(([file]) => /\.(ts|js|mjs)$|tsconfig\.json$/.test(file)));

interface Package {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

const versions = (): Record<string, string> => {
  const { dependencies, devDependencies } = JSON.parse(files.get('package.json') ?? '{}') as Package;
  return { ...dependencies, ...devDependencies };
};

test('the project has files to look at', () => {
  expect(files.size).toBeGreaterThan(20);
  expect([...sources.keys()]).toContain('scripts/run.mjs');
});

test('every dependency is used', () => expect(unused(Object.keys(versions()), sources)).toEqual([]));

test('an unused dependency is found', () => {
  const planted = new Map([
    [
      'a.ts',
      `import { a } from 'used'; import '@scope/deep/path'; // mentions idle
    const external = ['idle']; run('node_modules/tool/bin.js');`,
    ],
    ['tsconfig.json', '{ "types": ["a", "node"] }'],
  ]);
  const used = ['used', '@scope/deep', 'tool', '@types/node'];
  expect(unused([...used, 'idle', '@types/idle'], planted)).toEqual(['idle', '@types/idle']);
});

test('every dependency is pinned to one version', () =>
  expect(Object.entries(versions()).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]));

test('the lockfile names no place to fetch from, so that any registry serves', () => {
  const { packages } = JSON.parse(files.get('package-lock.json') ?? '{}') as {
    packages?: Record<string, { resolved?: string }>;
  };
  expect(Object.keys(packages ?? {}).length).toBeGreaterThan(10);
  expect(Object.entries(packages ?? {}).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

test('no file names a machine or a registry', () => expect(findings(files)).toEqual([]));

test('a machine path and a registry are found, an address in a URL is not', () => {
  const planted = new Map([
    ['a.md', `see ${'/wo' + 'rk/shared'} there`],
    ['b.json', `"https://registry${'.'}npmjs.org/x"`],
    ['c.md', 'https://example.org/work/1 and frame/work/'],
  ]);
  expect(findings(planted)).toEqual([
    'a.md: names a path of the machine it was written on',
    'b.json: names a package registry',
  ]);
});
