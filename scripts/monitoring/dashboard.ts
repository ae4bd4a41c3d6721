/** The Grafana dashboard as code, after the table of panels. */
import { DashboardBuilder, DatasourceVariableBuilder, RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as GraphBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { ROWS } from './panels.ts';
import type { Panel } from './panels.ts';

/** Grafana's grid is 24 wide. */
const WIDTH = 24;
const HEIGHT = 8;
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/**
 * Renders the dashboard.
 *
 * @returns The JSON that Grafana imports.
 */
export function dashboardText(): string {
  const builder = new DashboardBuilder('FHIR consent sync')
    .uid('holi-fhir-monitoring')
    .description('Consent-gated, de-identified replication: docs/monitoring.md says what each figure means.')
    .tags(['fhir', 'medplum'])
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .timezone('browser')
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  for (const { title, panels } of ROWS) {
    builder.withRow(new RowBuilder(title));
    panels.forEach((panel) => builder.withPanel(panelOf(panel, WIDTH / panels.length)));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function panelOf({ title, description, unit, queries, isStat }: Panel, span: number): GraphBuilder | StatBuilder {
  const builder = isStat ? new StatBuilder() : new GraphBuilder();
  builder.title(title).description(description).unit(unit).datasource(SOURCE).span(span).height(HEIGHT);
  for (const { expr, legend } of queries) {
    builder.withTarget(new DataqueryBuilder().expr(expr).legendFormat(legend));
  }
  return builder;
}
