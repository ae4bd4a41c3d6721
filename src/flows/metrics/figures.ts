/** Figures by family and labels, and how they grow. Pure. */
import { FAMILIES } from './families.ts';
import type { Family, FamilyName, KeptName } from './families.ts';

/** Label values, in the order of the family's labels, as JSON → a number; of a histogram the count of each bucket, then the sum. */
export type Series = Readonly<Record<string, readonly number[]>>;

/** All of them. */
export type Figures = Readonly<Partial<Record<FamilyName, Series>>>;

/** One thing that happened: a counter grows by the value, a histogram observes it. */
export interface Sample {
  readonly family: KeptName;
  readonly labels: readonly string[];
  readonly value: number;
}

/**
 * @param family - A family.
 * @returns The upper bounds of its buckets, `Infinity` included; empty unless it is a histogram.
 */
export function bucketsOf(family: Family): readonly number[] {
  return family.buckets ? [...family.buckets, Infinity] : [];
}

/**
 * Adds samples to figures.
 *
 * @param figures - Before.
 * @param samples - What happened.
 * @returns After. Values that are no numbers are left out: a figure is never spoilt by one row.
 */
export function add(figures: Figures, samples: readonly Sample[]): Figures {
  const next: Partial<Record<FamilyName, Record<string, readonly number[]>>> = {};
  for (const { family, labels, value } of samples.filter((one) => Number.isFinite(one.value) && one.value >= 0)) {
    const series = (next[family] ??= { ...figures[family] });
    const key = JSON.stringify(labels);
    series[key] = grown(FAMILIES[family], series[key], value);
  }
  return { ...figures, ...next };
}

function grown(family: Family, before: readonly number[] | undefined, value: number): readonly number[] {
  const bounds = bucketsOf(family);
  if (bounds.length === 0) {
    return [(before?.[0] ?? 0) + value];
  }
  const at = bounds.findIndex((bound) => value <= bound);
  const counts = bounds.map((_, index) => (before?.[index] ?? 0) + (index === at ? 1 : 0));
  // Milliseconds are what the clocks tell; sums of them stay exact.
  return [...counts, Math.round(((before?.[bounds.length] ?? 0) + value) * 1000) / 1000];
}

/**
 * @param family - A gauge.
 * @param rows - Label values and value.
 * @returns Its figures.
 */
export function gauge(family: FamilyName, ...rows: readonly (readonly [readonly string[], number])[]): Figures {
  return { [family]: Object.fromEntries(rows.map(([labels, value]) => [JSON.stringify(labels), [value]])) };
}
