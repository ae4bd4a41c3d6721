/** Figures as text (Prometheus exposition format 0.0.4) and as JSON. Pure. */
import { Buffer } from 'node:buffer';
import type { Binary } from '@medplum/fhirtypes';
import { FAMILIES } from './families.ts';
import type { Family, FamilyName } from './families.ts';
import { bucketsOf } from './figures.ts';
import type { Figures } from './figures.ts';

/** As Prometheus asks for it. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const names = Object.keys(FAMILIES) as FamilyName[];

/**
 * @param figures - All figures.
 * @returns The text: every family with its help and type, also one without any series.
 */
export function textOf(figures: Figures): string {
  return names.map((name) => familyText(name, figures)).join('');
}

function familyText(name: FamilyName, figures: Figures): string {
  const family: Family = FAMILIES[name];
  const rows = Object.entries(figures[name] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = rows.flatMap(([key, values]) => seriesText(name, family, JSON.parse(key) as string[], values));
  return [`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`, ...lines, ''].join('\n');
}

function seriesText(name: string, family: Family, labels: readonly string[], values: readonly number[]): string[] {
  const bounds = bucketsOf(family);
  const own = family.labels.map((label, index) => [label, labels[index] ?? ''] as const);
  if (bounds.length === 0) {
    return [`${name}${labelText(own)} ${values[0]}`];
  }
  let count = 0;
  const buckets = bounds.map((bound, index) => {
    count += values[index] ?? 0;
    return `${name}_bucket${labelText([...own, ['le', bound === Infinity ? '+Inf' : String(bound)]])} ${count}`;
  });
  return [
    ...buckets,
    `${name}_sum${labelText(own)} ${values[bounds.length] ?? 0}`,
    `${name}_count${labelText(own)} ${count}`,
  ];
}

function labelText(labels: readonly (readonly [string, string])[]): string {
  const escape = (value: string): string =>
    value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return labels.length > 0 ? `{${labels.map(([name, value]) => `${name}="${escape(value)}"`).join(',')}}` : '';
}

/**
 * @param figures - All figures.
 * @returns The text as a Binary, which Medplum sends raw, with its content type, in answer to a GET (`platform.md` §9.2).
 */
export function binaryOf(figures: Figures): Binary {
  const data = Buffer.from(textOf(figures), 'utf8').toString('base64');
  return { resourceType: 'Binary', contentType: CONTENT_TYPE, data };
}

/** One family in the JSON form, in the shape of prom-client's `getMetricsAsJSON`. */
export interface JsonFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
    /** Of a histogram, where `value` is the sum: observations at or below each bound. */
    readonly buckets?: Readonly<Record<string, number>>;
  }[];
}

/**
 * @param figures - All figures.
 * @returns The same for people and scripts.
 */
export function jsonOf(figures: Figures): { readonly metrics: readonly JsonFamily[] } {
  const metrics = names.map((name): JsonFamily => {
    const family: Family = FAMILIES[name];
    const bounds = bucketsOf(family);
    const values = Object.entries(figures[name] ?? {}).map(([key, numbers]) => {
      const own = JSON.parse(key) as string[];
      const labels = Object.fromEntries(family.labels.map((label, index) => [label, own[index] ?? '']));
      let count = 0;
      const buckets = Object.fromEntries(
        bounds.map((bound, index) => [bound === Infinity ? '+Inf' : String(bound), (count += numbers[index] ?? 0)])
      );
      return { labels, value: numbers[bounds.length] ?? 0, ...(bounds.length > 0 && { buckets }) };
    });
    return { name, help: family.help, type: family.type, values };
  });
  return { metrics };
}
