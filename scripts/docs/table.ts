/** A Markdown table. */

/**
 * @param head - The names of the columns.
 * @param rows - As many cells each.
 * @returns The table, without a line break at its end.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/** @returns The text as code. */
export const code = (text: string): string => `\`${text}\``;
