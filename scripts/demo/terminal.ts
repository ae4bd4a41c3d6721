/** What the demo shows while it works, and in the end: a bar on a terminal, plain lines elsewhere. */
import type { Problem, Report, TypeCounts } from './report.ts';

/** Where text goes. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Shows how far the work is. */
export interface Progress {
  /** Begins a part of the work. */
  begin(name: string, total: number): void;
  tick(): void;
  end(): void;
}

const BAR_WIDTH = 30;

/**
 * @param screen - Where to show it.
 * @returns A bar that is redrawn on a terminal, or a line per part.
 */
export function progressOn(screen: Screen): Progress {
  let part = { name: '', total: 0, done: 0, shown: -1 };
  const draw = (): void => {
    const share = part.total > 0 ? Math.min(1, part.done / part.total) : 1;
    const filled = Math.round(share * BAR_WIDTH);
    if (screen.isTTY && filled !== part.shown) {
      part.shown = filled;
      screen.write(
        `\r${part.name.padEnd(16)} [${'='.repeat(filled).padEnd(BAR_WIDTH)}] ${part.done}/${part.total}\u001b[K`
      );
    }
  };
  return {
    begin(name, total): void {
      part = { name, total, done: 0, shown: -1 };
      draw();
    },
    tick(): void {
      part.done++;
      draw();
    },
    end(): void {
      screen.write(screen.isTTY ? '\r\u001b[K' : `${part.name}: ${part.total}\n`);
    },
  };
}

const COLUMNS = ['inSource', 'replicated', 'withheldByConsent', 'withheldByPolicy', 'failed'] as const;
const HEADS = ['in source', 'replicated', 'withheld by consent', 'withheld by policy', 'failed'];

/**
 * The report for people.
 *
 * @param report - The report.
 * @param files - The inputs' paths, for problems that belong to one.
 * @param hasColour - Whether failures may be red.
 * @returns Lines.
 */
export function summary(report: Report, files: readonly string[], hasColour: boolean): string {
  const red = (text: string): string => (hasColour ? `\u001b[31m${text}\u001b[0m` : text);
  const { eventPath, bulkPath } = report.requests.perReplicatedResource;
  const { source, replica, token, perSweptRecord } = report.requests;
  const done = [
    ...tableOf(report.types),
    '',
    ...Object.entries(report.reasons).map(([reason, count]) => `Withheld: ${count} by ${reason}.`),
    `Requests of the bots: ${sum(source)} to the source, ${sum(replica)} to the replica, ${token} for tokens.`,
    `Requests per replicated resource: ${eventPath ?? '–'} on the event path, ${bulkPath ?? '–'} on the bulk path; ${perSweptRecord ?? '–'} per record swept.`,
    `Time: ${(report.durationMs / 1000).toFixed(1)} s.`,
    ...(report.input.leftOut > 0 ? [`Consents of the input that were left out: ${report.input.leftOut}.`] : []),
  ];
  return [
    ...(Object.keys(report.types).length > 0 ? done : ['Nothing was copied.']),
    ...report.problems.map((problem) => red(tell(problem, files))),
  ].join('\n');
}

/**
 * @param problem - A problem.
 * @param files - The inputs' paths.
 * @returns One line.
 */
export function tell({ kind, input, index, type, message, count }: Problem, files: readonly string[]): string {
  const where = [
    input === undefined ? '' : (files[input - 1] ?? `input ${input}`),
    index === undefined ? '' : `entry ${index}`,
    type ?? '',
  ].filter(Boolean);
  const others = count === undefined ? '' : ` (and ${count - 1} more)`;
  return `Problem (${kind}): ${[...where, message].join(' ')}${others}`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

function tableOf(types: Report['types']): string[] {
  const rows = Object.entries(types).map(([type, counts]) => [type, ...COLUMNS.map((name) => String(counts[name]))]);
  const total = (name: keyof TypeCounts): string =>
    String(Object.values(types).reduce((all, counts) => all + counts[name], 0));
  const all = [['type', ...HEADS], ...rows, ['all', ...COLUMNS.map(total)]];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  );
}
