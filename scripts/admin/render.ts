/** Any answer of an action as text: rows of objects as tables, the rest as names and values. Pure. */

type Row = Readonly<Record<string, unknown>>;

/**
 * @param answer - JSON.
 * @returns Lines for a terminal.
 */
export function rendered(answer: unknown): string {
  return linesOf(answer).join('\n').trim();
}

/**
 * @param rows - Objects; a column for each name that any of them has.
 * @returns A line of names, and one for each row.
 */
export function table(rows: readonly Row[]): string[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [names, ...rows.map((row) => names.map((name) => textOf(row[name])))];
  const widths = names.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}

function linesOf(value: unknown): string[] {
  if (!isRow(value)) {
    return Array.isArray(value) ? listOf(value as readonly unknown[]) : [textOf(value)];
  }
  const entries = Object.entries(value);
  const plain = entries.filter(([, each]) => !isNested(each)).map(([name, each]) => ({ name, value: textOf(each) }));
  const nested = entries.filter(([, each]) => isNested(each));
  return [
    ...table(plain).slice(1),
    ...nested.flatMap(([name, each]) => ['', `${name}${countOf(each)}`, ...linesOf(each)]),
  ];
}

function listOf(list: readonly unknown[]): string[] {
  const isTable = list.length > 0 && list.every(isRow);
  return isTable ? table(list) : list.map((each) => `  ${textOf(each)}`);
}

const countOf = (value: unknown): string => (Array.isArray(value) ? ` (${value.length})` : '');
const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNested = (value: unknown): boolean =>
  isRow(value) || (Array.isArray(value) && (value.length === 0 || value.some(isRow) || value.length > 8));

/** One cell: what came from a server must not steer a terminal. */
function textOf(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : value === undefined || value === null
        ? ''
        : Array.isArray(value) && !value.some(isRow)
          ? value.map(textOf).join(' ')
          : JSON.stringify(value);
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
