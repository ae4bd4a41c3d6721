/** `medplum.config.json`, by which Medplum's own CLI finds the bots: `medplum bot deploy <name>` works as it stands. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './manifest.ts';

/** One bot as the CLI knows it. */
export interface CliBot {
  readonly name: string;
  readonly id: string;
  readonly source: string;
  readonly dist: string;
}

type CliConfig = Readonly<Record<string, unknown>> & { readonly bots?: readonly CliBot[] };

/**
 * Merges our bots into a configuration; what else is in it stays.
 *
 * @param before - The file as it was.
 * @param ours - Bots with ids on the server that was deployed to.
 * @param gone - Names of bots that were removed.
 * @returns The file as it should be.
 */
export function mergeConfig(
  before: CliConfig,
  ours: readonly { name: string; id: string }[],
  gone: readonly string[]
): CliConfig {
  const isOurs = (bot: CliBot): boolean => gone.includes(bot.name) || ours.some(({ name }) => name === bot.name);
  const rows = ours.map(({ name, id }): CliBot => ({
    name,
    id,
    source: `src/bots/${name}.ts`,
    dist: `dist/${name}.js`,
  }));
  return { ...before, bots: [...(before.bots ?? []).filter((bot) => !isOurs(bot)), ...rows] };
}

/**
 * Writes the file.
 *
 * @param ours - Bots with ids.
 * @param gone - Names of bots that were removed.
 * @param path - The file.
 * @returns Whether it changed.
 */
export function writeConfig(
  ours: readonly { name: string; id: string }[],
  gone: readonly string[],
  path: string = join(ROOT, 'medplum.config.json')
): boolean {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const after = `${JSON.stringify(mergeConfig(text ? (JSON.parse(text) as CliConfig) : {}, ours, gone), null, 2)}\n`;
  if (after !== text) {
    writeFileSync(path, after);
  }
  return after !== text;
}
