/** `npm run status`: asks the bot `status`, and shows what it says in the terminal or writes the page. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { styleText } from 'node:util';
import { systemsOf } from '../src/fhir/systems.ts';
import { pageOf } from '../src/flows/metrics/status/page.ts';
import type { Report } from '../src/flows/metrics/status/report.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { connect, credentialsOf } from './deploy/server.ts';

const USAGE = `npm run status -- [--out FILE] [--json]

  --out FILE   writes the page, to be opened in a browser
  --json       prints the report

Needs MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID, MEDPLUM_CLIENT_SECRET of an ADMIN or MONITOR. Exit code: 0 well, 1 degraded, 2 unhealthy.`;

const OPTIONS = { out: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const;

const COLOURS = { healthy: 'green', degraded: 'yellow', unhealthy: 'red' } as const;

async function status(args: readonly string[]): Promise<number> {
  const { values } = readArgs(args, OPTIONS, USAGE);
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const report = await ask();
  if (values.json) {
    console.log(JSON.stringify(report, undefined, 2));
  } else if (values.out === undefined) {
    console.log(textOf(report));
  } else {
    const file = resolve(process.env['INIT_CWD'] ?? '.', values.out);
    writeFileSync(file, pageOf(report));
    console.log(`${file} is written: ${report.status}.`);
  }
  return ['healthy', 'degraded', 'unhealthy'].indexOf(report.status);
}

function ask(): Promise<Report> {
  const credentials = credentialsOf(process.env);
  const { bot } = systemsOf(process.env['NAMESPACE']?.replace(/\/*$/, ''));
  const path = `${credentials.fhirPath.replace(/^\/+|\/*$/g, '')}/Bot/$execute?identifier=${encodeURIComponent(`${bot}|status`)}`;
  return connect(credentials).call<Report>('POST', path, { format: 'json' });
}

function textOf({ status, timestamp, findings, sections }: Report): string {
  return [
    `${styleText(COLOURS[status], status)} at ${timestamp}`,
    ...findings.flatMap(({ says, does }) => [`- ${says}`, `  ${does}`]),
    ...sections.flatMap(({ title, figures }) => [
      '',
      styleText('bold', title),
      ...figures.map(({ label, text }) => `${text.padStart(10)}  ${label}`),
    ]),
  ].join('\n');
}

await runCommand(status);
