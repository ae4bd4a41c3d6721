/** Writes the tables of the documents from the tables of the code; with `--check`, only says whether they are current. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACTIONS } from '../src/bots/actions.ts';
import { dashboardText } from './monitoring/dashboard.ts';
import { ALL_SETTINGS } from '../src/config/all-settings.ts';
import type { Setting } from '../src/config/settings.ts';
import type { Actions, AdminAction } from '../src/flows/action.ts';
import { botSections } from './docs/bots.ts';
import { faultsTable } from './docs/faults.ts';
import { code, table } from './docs/table.ts';
import { quotas, readCosts } from './estimate/costs.ts';
import { DEFAULT_PROFILE, estimate } from './estimate/model.ts';
import { tableOf } from './estimate/table.ts';
import { FAMILIES } from '../src/flows/metrics/families.ts';
import type { Family } from '../src/flows/metrics/families.ts';

function cells(setting: Setting): string[] {
  const fallback = setting.fallback === undefined ? (setting.optional ? '' : '**required**') : code(setting.fallback);
  const kind = setting.choices ? setting.choices.map(code).join(' or ') : setting.kind;
  // The reasons name pages from the root; the table stands beside them.
  const why = setting.why.replaceAll('](docs/', '](');
  return [code(setting.name), kind, fallback, why, (setting.aliases ?? []).map(code).join(', ')];
}

/**
 * Renders the settings as a Markdown table.
 *
 * @param settings - The rows.
 * @returns The table, without a line break at its end.
 */
export function settingsTable(settings: readonly Setting[] = ALL_SETTINGS): string {
  return table(['Setting', 'Kind', 'Default', 'Why', 'Also read from'], settings.map(cells));
}

/**
 * Puts the table between its marks.
 *
 * @param page - The text of docs/settings.md.
 * @returns The text as it should be.
 */
export function withSettings(page: string): string {
  return between(page, 'settings', settingsTable());
}

function between(text: string, name: string, table: string): string {
  const [open, close] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [begin, end] = [text.indexOf(open), text.indexOf(close)];
  if (begin < 0 || end < begin) {
    throw new Error(`the lines ${open} and ${close} are missing, for the table between them`);
  }
  return `${text.slice(0, begin + open.length)}\n\n${table}\n\n${text.slice(end)}`;
}

/**
 * Renders the actions of the bot `admin` as a Markdown table.
 *
 * @param actions - The rows.
 * @returns The table, without a line break at its end.
 */
export function actionsTable(actions: Actions = ACTIONS): string {
  const parametersOf = ({ parameters }: AdminAction): string =>
    Object.entries(parameters)
      .map(([name, { isRequired, why }]) => `\`${isRequired ? name : `[${name}]`}\` ${why}`)
      .join('<br>');
  const rows = Object.entries(actions).map(([name, row]) => [code(name), row.effect, row.why, parametersOf(row)]);
  return table(['Action', 'Effect', 'Answers or does', 'Parameters'], rows);
}

/**
 * Puts the actions between their marks.
 *
 * @param page - The text of docs/admin.md.
 * @returns The text as it should be.
 */
export function withActions(page: string): string {
  return between(page, 'actions', actionsTable());
}

/**
 * Puts the metrics between their marks.
 *
 * @param page - The text of docs/monitoring.md.
 * @returns The text as it should be.
 */
export function withFamilies(page: string): string {
  const rows = Object.entries<Family>(FAMILIES).map(([name, { type, labels, help }]) => [
    code(name),
    type,
    labels.map(code).join(', '),
    help,
  ]);
  return between(page, 'families', table(['Metric', 'Type', 'Labels', 'What it says'], rows));
}

/** The estimate for an ordinary clinic, as `npm run estimate` prints it. */
function estimateBlock(): string {
  return `\`\`\`\n${tableOf(DEFAULT_PROFILE, estimate(DEFAULT_PROFILE, readCosts(), quotas()))}\n\`\`\``;
}

/** What is generated, and where. */
export const DOCUMENTS = [
  { file: 'docs/settings.md', of: 'src/config/settings.ts', current: withSettings },
  { file: 'docs/admin.md', of: 'the actions of src/bots/actions.ts', current: withActions },
  { file: 'docs/bots.md', of: 'bots.config.json', current: (page: string) => between(page, 'bots', botSections()) },
  {
    file: 'docs/errors.md',
    of: 'src/observability/fault.ts',
    current: (page: string) => between(page, 'faults', faultsTable()),
  },
  {
    file: 'docs/operate.md',
    of: 'scripts/estimate/costs.json',
    current: (page: string) => between(page, 'estimate', estimateBlock()),
  },
  { file: 'docs/monitoring.md', of: 'src/flows/metrics/families.ts', current: withFamilies },
  { file: 'monitoring/dashboard.json', of: 'scripts/monitoring/panels.ts', current: () => dashboardText() },
];

if (process.argv[1] === import.meta.filename) {
  for (const { file, of, current } of DOCUMENTS) {
    const path = join(import.meta.dirname, '..', file);
    try {
      const text = readFileSync(path, 'utf8');
      const wanted = current(text);
      if (wanted === text) {
        console.log(`${file} is current.`);
      } else if (process.argv.includes('--check')) {
        console.error(`${file} is not current with ${of}: run \`npm run docs\`.`);
        process.exitCode = 1;
      } else {
        writeFileSync(path, wanted);
        console.log(`${file}: written.`);
      }
    } catch (error) {
      console.error((error as Error).message);
      process.exitCode = 1;
    }
  }
}
