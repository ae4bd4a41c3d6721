/** The pages of the bots: what bots.config.json says of each, beside what only a person can say. */
import { readManifest } from '../deploy/manifest.ts';
import type { Access, BotRow, Trigger } from '../deploy/manifest.ts';
import { PAGES } from './pages.ts';
import { code, table } from './table.ts';

/**
 * @returns A section for each bot, in the order of the manifest.
 * @throws Error when a bot has no page.
 */
export function botSections(): string {
  const { bots } = readManifest();
  return bots.map(sectionOf).join('\n\n');
}

function sectionOf(bot: BotRow): string {
  const page = PAGES[bot.name];
  if (!page) {
    throw new Error(`scripts/docs/pages.ts says nothing of the bot ${bot.name}`);
  }
  const rows = [
    ...(bot.requires ? [['Deployed', `where ${code(bot.requires)} is set`]] : []),
    ['Runs', triggersOf(bot.triggers)],
    ['Time', `at most ${bot.timeoutSeconds} s`],
    ['Input', page.input],
    ['Answer', page.answer],
    ['Errors', page.faults.map((name) => `[${code(name)}](errors.md)`).join(', ')],
    ['Settings of its own', page.settings.map(code).join(', ') || 'none'],
    ['May be called by', bot.callers?.join(', ') ?? 'nobody: events only'],
    ['May touch', bot.access.map(accessOf).join('<br>')],
  ];
  return `## ${bot.name}\n\n${bot.description}${page.more ? ` ${page.more}` : ''}\n\n${table(['', ''], rows)}`;
}

function triggersOf(triggers: readonly Trigger[]): string {
  const criteria = triggers.flatMap(({ subscription }) => (subscription ? [code(subscription.criteria)] : []));
  return [
    ...(criteria.length > 0 ? [`on create, update and delete of ${criteria.join(', ')}`] : []),
    ...triggers.flatMap(({ cron }) => (cron ? [`by cron ${code(cron)} (UTC)`] : [])),
    ...(triggers.some(({ execute }) => execute) ? [`by ${code('$execute')}`] : []),
  ].join('; ');
}

function accessOf({ resourceType, interaction, criteria }: Access): string {
  return `${resourceType}: ${interaction.join(', ')}${criteria ? ` (${code(criteria)})` : ''}`;
}
