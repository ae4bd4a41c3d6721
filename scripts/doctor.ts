/** `npm run doctor`: looks at source, replica and bots, changes nothing, and says what is wrong and what to do about it. */
import { styleText } from 'node:util';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { credentialsOf, Refusal } from './deploy/server.ts';
import { examine } from './doctor/examine.ts';
import { exitCodeOf, VERDICTS } from './doctor/finding.ts';
import type { Finding } from './doctor/finding.ts';
import { gather } from './doctor/gather.ts';
import type { Overseer } from './doctor/gather.ts';

const USAGE = `npm run doctor -- [--json]

Reads MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID, MEDPLUM_CLIENT_SECRET (an admin of the source project) and, to see what the bots' own
client may not, REPLICA_ADMIN_CLIENT_ID and REPLICA_ADMIN_CLIENT_SECRET. Exit code: 0 all ok, 1 a warning, 2 a failure.`;

const MARKS = {
  ok: styleText('green', 'ok  '),
  warn: styleText('yellow', 'warn'),
  fail: styleText('red', 'fail'),
} as const;

async function doctor(args: readonly string[]): Promise<number> {
  const { values } = readArgs(args, { json: { type: 'boolean' }, help: { type: 'boolean' } }, USAGE);
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const findings = examine(await gather(credentialsOf(process.env), overseerOf(process.env)));
  const exitCode = exitCodeOf(findings);
  console.log(
    values.json ? JSON.stringify({ verdict: VERDICTS[exitCode], checks: findings }, null, 2) : textOf(findings)
  );
  return exitCode;
}

function overseerOf({
  REPLICA_ADMIN_CLIENT_ID: id,
  REPLICA_ADMIN_CLIENT_SECRET: secret,
}: NodeJS.ProcessEnv): Overseer | undefined {
  if (Boolean(id) !== Boolean(secret)) {
    throw new Refusal('REPLICA_ADMIN_CLIENT_ID and REPLICA_ADMIN_CLIENT_SECRET go together', USAGE);
  }
  return id && secret ? { id, secret } : undefined;
}

function textOf(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.map(
    ({ name, verdict, detail, remedy }) =>
      `${MARKS[verdict]}  ${name.padEnd(width)}  ${detail}${remedy ? `\n      ${' '.repeat(width)}  → ${remedy}` : ''}`
  );
  const counts = VERDICTS.map(
    (verdict) => `${findings.filter((finding) => finding.verdict === verdict).length} ${verdict}`
  );
  return `${lines.join('\n')}\n\n${counts.join(', ')}`;
}

await runCommand(doctor);
