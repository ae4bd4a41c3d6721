/** `npm run estimate`: what a day costs, against Medplum's quota, from a volume profile and from costs that were measured. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { Refusal } from './deploy/server.ts';
import { costOf, COSTS_FILE, quotas, readCosts } from './estimate/costs.ts';
import { measureCosts } from './estimate/measure.ts';
import { estimate } from './estimate/model.ts';
import { readProfile } from './estimate/profile.ts';
import { tableOf } from './estimate/table.ts';

const USAGE = `npm run estimate -- [--profile FILE] [name=value …] [--json]

Requests, interaction units, AuditEvents and storage of a day, by bot, against Medplum's quota. FILE is JSON, name=value counts more:
  patients=10000 consenting=0.6 recordsPerPatient=150 changes.Observation=6000 created=0.8 deleted=0.01 queued=0.01
  consents.given=20 consents.revoked=2 reads.export=50 reads.gateway=500 reads.reveal=5 partnerReads=2000 scrapeSeconds=60 peak=10
  --json      the same as one document
  --measure   measures the costs again in the sandbox, and writes them down`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(
    args,
    {
      profile: { type: 'string' },
      json: { type: 'boolean' },
      measure: { type: 'boolean' },
      help: { type: 'boolean' },
    },
    USAGE
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.measure) {
    const measured = Object.entries(await measureCosts()).map(([flow, cost]) => [
      flow,
      costOf((name) => Number(cost[name].toFixed(4))),
    ]);
    writeFileSync(COSTS_FILE, `${JSON.stringify(Object.fromEntries(measured), undefined, 2)}\n`);
    console.log('scripts/estimate/costs.json: written.');
    return 0;
  }
  const read = readProfile(values.profile && fileOf(values.profile), positionals);
  if ('problems' in read) {
    throw new Refusal(read.problems.join('\n        '), USAGE);
  }
  const result = estimate(read.profile, readCosts(), quotas());
  console.log(
    values.json ? JSON.stringify({ profile: read.profile, ...result }, undefined, 2) : tableOf(read.profile, result)
  );
  return 0;
}

function fileOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Refusal(`${path}: ${(error as Error).message}`, USAGE);
  }
}

await runCommand(main);
