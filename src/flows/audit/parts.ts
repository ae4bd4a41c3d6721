/** Divides long lists for searches. Pure. */

/** Values in one search: newer Medplum servers refuse a query of more than 70,000 characters. */
const AT_A_TIME = 400;

/**
 * @param all - Values.
 * @returns The same in the same order, in parts that fit one search each.
 */
export function parts<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / AT_A_TIME) }, (_, part) =>
    all.slice(part * AT_A_TIME, (part + 1) * AT_A_TIME)
  );
}
