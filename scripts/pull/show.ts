/** A pull in words for a terminal. Pure. */
import type { PullAnswer } from '../../src/flows/ingest/pull/report.ts';

const WIDTH = 30;
/** Of the bar: what the partner takes to prepare the export. */
const PREPARING = 0.3;

/**
 * @param answer - How far it is.
 * @param now - Milliseconds since the epoch.
 * @returns One line: a bar and what is going on.
 */
export function barOf(answer: PullAnswer, now: number): string {
  const { phase, files, total, percent = 0, bytes } = answer;
  const isReading = phase === 'files' || phase === 'done';
  const read = files?.total > 0 ? files.done / files.total : Number(phase === 'done');
  const share = isReading ? PREPARING + (1 - PREPARING) * read : (PREPARING * percent) / 100;
  const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
  const left = Math.max(0, Math.round((Date.parse(answer.nextAt ?? '') - now) / 1000) || 0);
  const wait = left > 0 ? `, asked again in ${left} s` : '';
  const said: Readonly<Record<string, string>> = {
    start: `the export is to be kicked off${wait}`,
    wait: `the partner prepares it${percent > 0 ? `, ${percent} %` : ''}${wait}`,
    files: `file ${files?.done + 1} of ${files?.total}, ${total?.['lines'] ?? 0} records, ${Math.round(bytes / 1000)} kB${wait}`,
    done: `${files?.total} files, ${total?.['lines'] ?? 0} records`,
    none: 'there was no pull yet',
  };
  const fault = answer.failures > 0 ? ` (${[answer.fault, answer.detail].filter(Boolean).join(', ')})` : '';
  return `${bar} ${said[phase] ?? phase}${fault}`;
}

/**
 * @param answer - A pull.
 * @returns What came of it, by type, and what needs a person.
 */
export function reportOf(answer: PullAnswer): string {
  const { counts = {}, deleted = {}, refused = [], problems = [] } = answer;
  const rows = Object.entries(counts).map(
    ([type, own]) =>
      `  ${type.padEnd(20)} ${Object.entries(own)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}`
  );
  const gone = Object.entries(deleted).map(([name, count]) => `${name} ${count}`);
  const where = refused.map(
    ({ type, line, code, expression }) => `  - ${type}, line ${line}: ${[code, expression].filter(Boolean).join(' ')}`
  );
  return [
    ...(answer.since ? [`since ${answer.since}`] : []),
    ...rows,
    ...(gone.length > 0 ? [`  deleted there: ${gone.join(', ')}`] : []),
    ...problems.map((problem) => `  ! ${problem}`),
    ...where.slice(0, 20),
  ].join('\n');
}
