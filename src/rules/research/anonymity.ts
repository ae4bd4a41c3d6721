/**
 * k-anonymity (Sweeney 2002): whoever is in an export shares every quasi-identifier with at least k - 1 others in it. 45 CFR 164.514(b)(1) leaves the
 * number to the expert; 11 is what CMS asks of small cells. Pure.
 */

/** What came of it. */
export interface Suppression {
  /** The cells of which nobody is shown. */
  readonly suppressed: ReadonlySet<string>;
  /** Patients who are shown. */
  readonly released: number;
  /** Patients who are not: none, or k at least unless nobody is shown. */
  readonly withheld: number;
  /** The size of the smallest cell that is shown; 0 when none is. */
  readonly smallest: number;
}

/**
 * Chooses the cells that are not shown. Cells smaller than k are not; and if those together hold fewer than k patients, the next larger ones are not
 * either, until k are withheld. Otherwise who knows the cohort would learn of the few who are missing what they share (complementary
 * suppression): so the number of the missing is not small either.
 *
 * @param cells - Patients by cell.
 * @param k - At least 2.
 * @returns What is suppressed, and what remains.
 */
export function suppress(cells: ReadonlyMap<string, number>, k: number): Suppression {
  // By size, then by name: the same patients always give the same choice.
  const sorted = [...cells].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  const suppressed = new Set<string>();
  let withheld = 0;
  for (const [cell, size] of sorted) {
    if (size < k || (withheld > 0 && withheld < k)) {
      suppressed.add(cell);
      withheld += size;
    }
  }
  const shown = sorted.filter(([cell]) => !suppressed.has(cell)).map(([, size]) => size);
  return {
    suppressed,
    released: shown.reduce((sum, size) => sum + size, 0),
    withheld,
    smallest: shown[0] ?? 0,
  };
}

/**
 * A count as it may be told: a small one tells of somebody.
 *
 * @param count - Of patients.
 * @param k - As above.
 * @returns The count, or `<k`.
 */
export function told(count: number, k: number): number | string {
  return count > 0 && count < k ? `<${k}` : count;
}
