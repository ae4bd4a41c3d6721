/** Repeated measurement of cases side by side, so that whatever else the machine does hits all of them alike. */

/**
 * @param rounds - How often each case is run; the cases take turns.
 * @param cases - What to measure.
 * @returns The median time of each case, in milliseconds.
 */
export async function medians<K extends string>(
  rounds: number,
  cases: Readonly<Record<K, () => unknown>>
): Promise<Record<K, number>> {
  const names = Object.keys(cases) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const start = performance.now();
      await cases[name]();
      times[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(
    names.map((name) => [name, times[name].toSorted((a, b) => a - b)[Math.floor(rounds / 2)]])
  ) as Record<K, number>;
}
