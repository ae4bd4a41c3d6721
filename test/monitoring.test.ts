/** What `monitoring/` refers to is there. That it works is proven by `npm run test:monitoring`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROWS } from '../scripts/monitoring/panels.ts';
import { FAMILIES } from '../src/flows/metrics/families.ts';
import { add } from '../src/flows/metrics/figures.ts';
import { jsonOf, textOf } from '../src/flows/metrics/exposition.ts';

const root = join(import.meta.dirname, '..');
const { groups } = parse(readFileSync(join(root, 'monitoring', 'alerts.yml'), 'utf8')) as {
  groups: { rules: { alert: string; expr: string; annotations: { runbook_url: string } }[] }[];
};
const rules = groups.flatMap((group) => group.rules);

test('each of the 18 alerts has a section of its own in the runbook', () => {
  const sections = [...readFileSync(join(root, 'docs', 'runbook.md'), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text]) =>
    `${text}`.toLowerCase().replaceAll(' ', '-')
  );
  expect(rules).toHaveLength(18);
  expect(new Set(rules.map(({ annotations }) => annotations.runbook_url)).size).toBe(18);
  for (const { alert, annotations } of rules) {
    const [file, anchor] = annotations.runbook_url.split('#');
    expect(file, alert).toBe('docs/runbook.md');
    expect(sections, alert).toContain(anchor);
  }
});

test('the dashboard has the 21 panels of the seeds, and no query or alert asks for a metric that there is not', () => {
  const panels = ROWS.flatMap((row) => row.panels);
  expect(panels).toHaveLength(21);
  const asked = [...panels.flatMap(({ queries }) => queries), ...rules].flatMap(({ expr }) =>
    [...expr.matchAll(/holi_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''))
  );
  expect(asked.filter((name) => !Object.hasOwn(FAMILIES, name))).toEqual([]);
});

test('buckets are cumulative, labels are escaped, and what is no number spoils nothing', () => {
  const family = 'holi_fhir_audit_mirror_duration_seconds';
  const figures = add({}, [
    ...[0.2, 0.2, 7, 1000, Number.NaN].map((value) => ({ family, labels: [], value }) as const),
    { family: 'holi_fhir_audit_mirror_runs_total', labels: ['a"b\\c\nd'], value: 1 },
  ]);
  const text = textOf(figures);
  expect(text).toContain(`${family}_bucket{le="0.1"} 0\n${family}_bucket{le="0.3"} 2\n`);
  expect(text).toContain(`${family}_bucket{le="10"} 3\n`);
  expect(text).toContain(`${family}_bucket{le="+Inf"} 4\n${family}_sum 1007.4\n${family}_count 4\n`);
  expect(text).toContain('holi_fhir_audit_mirror_runs_total{status="a\\"b\\\\c\\nd"} 1\n');
  const json = jsonOf(figures).metrics.find(({ name }) => name === family);
  expect(json?.values).toEqual([
    { labels: {}, value: 1007.4, buckets: expect.objectContaining({ '10': 3, '+Inf': 4 }) },
  ]);
});
