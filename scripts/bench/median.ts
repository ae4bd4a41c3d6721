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
  return pick(await timed(rounds, cases), Math.floor(rounds / 2));
}

/**
 * For work that does not wait: whatever else the machine does can only add to it, so the fastest round is nearest to its cost.
 *
 * @param rounds - As for `medians`.
 * @param cases - As for `medians`.
 * @returns The least time of each case, in milliseconds.
 */
export async function fastest<K extends string>(
  rounds: number,
  cases: Readonly<Record<K, () => unknown>>
): Promise<Record<K, number>> {
  return pick(await timed(rounds, cases), 0);
}

async function timed<K extends string>(
  rounds: number,
  cases: Readonly<Record<K, () => unknown>>
): Promise<Record<K, number[]>> {
  const names = Object.keys(cases) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const start = performance.now();
      await cases[name]();
      times[name].push(performance.now() - start);
    }
  }
  return times;
}

function pick<K extends string>(times: Record<K, number[]>, rank: number): Record<K, number> {
  const entries = Object.entries<number[]>(times);
  return Object.fromEntries(entries.map(([name, all]) => [name, all.toSorted((a, b) => a - b)[rank]])) as Record<
    K,
    number
  >;
}
