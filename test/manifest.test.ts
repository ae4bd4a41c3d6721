/** What is declared, compared with what is there: bots.config.json ↔ src/bots, docs/settings.md ↔ settings. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { DOCUMENTS, settingsTable, withActions, withSettings } from '../scripts/docs.ts';
import { ALL_SETTINGS } from '../src/config/all-settings.ts';
import { isBot } from './support/house-rules.ts';

const root = join(import.meta.dirname, '..');

interface Trigger {
  readonly cron?: string;
  readonly subscription?: { readonly criteria?: string };
  readonly execute?: boolean;
}

interface Bot {
  readonly name: string;
  readonly description: string;
  readonly triggers: readonly Trigger[];
  readonly timeoutSeconds: number;
  readonly settings?: readonly string[];
}

const FIELDS = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of month', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12 },
  { name: 'day of week', from: 0, to: 7 },
];

/** Says what is wrong with a five-field cron string of numbers, lists, ranges and steps. */
function problemOfCron(cron: string): string | undefined {
  const fields = cron.split(' ');
  if (fields.length !== FIELDS.length) {
    return `has ${fields.length} fields, not 5`;
  }
  const wrong = FIELDS.find(({ from, to }, index) =>
    fields[index]?.split(',').some((part) => {
      const [, low = `${from}`, high = low, step = '1'] = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part) ?? [];
      const isWellFormed = /^(\*|\d+(-\d+)?)(\/\d+)?$/.test(part);
      return !isWellFormed || Number(low) < from || Number(high) > to || Number(low) > Number(high) || Number(step) < 1;
    })
  );
  return wrong && `has an invalid ${wrong.name}`;
}

describe('bots.config.json', () => {
  let bots: readonly Bot[];
  beforeAll(() => {
    ({ bots } = JSON.parse(readFileSync(join(root, 'bots.config.json'), 'utf8')) as { bots: readonly Bot[] });
  });

  test('names every bot in src/bots, and no other', () => {
    const sources = readdirSync(join(root, 'src', 'bots')).filter((file) =>
      isBot(`bots/${file}`, readFileSync(join(root, 'src', 'bots', file), 'utf8'))
    );
    expect(bots.map(({ name }) => `${name}.ts`).sort()).toEqual(sources.sort());
  });

  test('gives every bot a name that is a path and an identifier, a description, and a timeout that Lambda allows', () => {
    for (const { name, description, timeoutSeconds } of bots) {
      expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(description, name).toMatch(/\S/);
      expect(timeoutSeconds, name).toBeGreaterThan(0);
      expect(timeoutSeconds, name).toBeLessThanOrEqual(900);
    }
  });

  test('gives every bot a trigger, each of one kind', () => {
    for (const { name, triggers } of bots) {
      expect(triggers.length, name).toBeGreaterThan(0);
      for (const trigger of triggers) {
        expect(Object.keys(trigger).length, `${name}: ${JSON.stringify(trigger)}`).toBe(1);
        expect(Boolean(trigger.cron ?? trigger.subscription?.criteria ?? trigger.execute), name).toBe(true);
      }
    }
  });

  test('has valid five-field cron strings, at most one a bot', () => {
    for (const { name, triggers } of bots) {
      const crons = triggers.flatMap(({ cron }) => (cron === undefined ? [] : [cron]));
      // A Bot resource has one `cronString`.
      expect(crons.length, name).toBeLessThanOrEqual(1);
      expect(crons.map(problemOfCron).filter(Boolean), `${name}: ${crons.join()}`).toEqual([]);
    }
  });

  test('asks only for settings that exist', () => {
    const known = ALL_SETTINGS.map(({ name }) => name);
    for (const { name, settings = [] } of bots) {
      expect(
        settings.filter((setting) => !known.includes(setting)),
        name
      ).toEqual([]);
    }
  });
});

test.each([
  ['* * * * *', undefined],
  ['*/5 * * * *', undefined],
  ['0 3 * * 1-5', undefined],
  ['0,30 0-23/2 1 1 7', undefined],
  ['* * * *', 'has 4 fields, not 5'],
  ['0 0 3 * * *', 'has 6 fields, not 5'],
  ['60 * * * *', 'has an invalid minute'],
  ['0 24 * * *', 'has an invalid hour'],
  ['0 0 0 * *', 'has an invalid day of month'],
  ['0 0 * jan *', 'has an invalid month'],
  ['*/0 * * * *', 'has an invalid minute'],
  ['0 5-3 * * *', 'has an invalid hour'],
  ['', 'has 1 fields, not 5'],
])('the cron check says of "%s": %s', (cron, problem) => expect(problemOfCron(cron)).toBe(problem));

describe('docs/settings.md', () => {
  test('has the settings table of src/config/settings.ts (`npm run docs` writes it)', () => {
    const page = readFileSync(join(root, 'docs', 'settings.md'), 'utf8');
    expect(page).toBe(withSettings(page));
  });

  test('would not pass with another table', () => {
    const marks = (table: string): string => `a\n<!-- settings:begin -->\n${table}\n<!-- settings:end -->\nb\n`;
    expect(withSettings(marks('old'))).toBe(marks(`\n${settingsTable()}\n`));
    expect(() => withSettings('no marks')).toThrow('settings:begin');
  });
});

test('docs/admin.md has the table of the actions (`npm run docs` writes it)', () => {
  const page = readFileSync(join(root, 'docs', 'admin.md'), 'utf8');
  expect(page).toBe(withActions(page));
  expect(page).toContain('| `help` | read |');
});

test.each(DOCUMENTS)('$file is as `npm run docs` writes it', ({ file, current }) => {
  const page = readFileSync(join(root, file), 'utf8');
  expect(page).toBe(current(page));
});
