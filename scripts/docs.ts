/** Writes the README's settings table from `src/config/settings.ts`; with `--check`, only says whether it is current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS } from '../src/config/settings.ts';
import type { Setting } from '../src/config/settings.ts';

const BEGIN = '<!-- settings:begin -->';
const END = '<!-- settings:end -->';

function cells(setting: Setting): string[] {
  const code = (text: string): string => `\`${text}\``;
  const fallback = setting.fallback === undefined ? (setting.optional ? '' : '**required**') : code(setting.fallback);
  const kind = setting.choices ? setting.choices.map(code).join(' or ') : setting.kind;
  return [code(setting.name), kind, fallback, setting.why, (setting.aliases ?? []).map(code).join(', ')];
}

/**
 * Renders the settings as a Markdown table.
 *
 * @param settings - The rows.
 * @returns The table, without a line break at its end.
 */
export function settingsTable(settings: readonly Setting[] = SETTINGS): string {
  const rows = [
    ['Setting', 'Kind', 'Default', 'Why', 'Also read from'],
    Array<string>(5).fill('---'),
    ...settings.map(cells),
  ];
  return rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
}

/**
 * Puts the table between its marks.
 *
 * @param readme - The README's text.
 * @returns The text as it should be.
 */
export function withSettings(readme: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) {
    throw new Error(`README.md needs the lines ${BEGIN} and ${END}, for the settings table between them`);
  }
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${settingsTable()}\n\n${readme.slice(end)}`;
}

if (process.argv[1] === import.meta.filename) {
  const path = join(import.meta.dirname, '..', 'README.md');
  try {
    const readme = readFileSync(path, 'utf8');
    const current = withSettings(readme);
    if (current === readme) {
      console.log('README.md is current.');
    } else if (process.argv.includes('--check')) {
      console.error('The settings table in README.md is not that of src/config/settings.ts: run `npm run docs`.');
      process.exitCode = 1;
    } else {
      writeFileSync(path, current);
      console.log('README.md: settings table written.');
    }
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
