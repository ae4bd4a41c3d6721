/** `npm run pull`: begins a pull from the partner, or goes on with the open one, with progress; Ctrl-C stops following, the bot goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PullAnswer } from '../src/flows/ingest/pull/report.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { findBot } from './deploy/find-bot.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';
import { barOf, reportOf } from './pull/show.ts';

const USAGE = `npm run pull -- [--full] [--since 2026-01-01T00:00:00Z] [--types Patient,Observation] [--status | --cancel] [--json]

Pulls what the partner exports (PARTNER_*), by the bot \`pull-partner\`. Reads MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID, MEDPLUM_CLIENT_SECRET: a client
that is listed in ADMIN_CLIENTS.
  --full     everything, not only what has changed since the last pull
  --status   says how far it is, and starts nothing
  --cancel   gives the open pull up`;

/** One call: short enough to show progress, long enough that its own cost is small. */
const SECONDS = 10;
/** The partner is asked when it says so; we look this often at most. */
const LOOK_MS = 15_000;

/** So many failures, one after the other. */
const PATIENCE = 3;

/** Exit codes: 0 done without a problem; 1 failed, refused, or something needs a person. */
async function pull(args: readonly string[]): Promise<number> {
  const { values } = readArgs(
    args,
    {
      full: { type: 'boolean' },
      since: { type: 'string' },
      types: { type: 'string' },
      status: { type: 'boolean' },
      cancel: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
    USAGE
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const server = connect(credentialsOf(process.env));
  const botId = await findBot(server, 'pull-partner');
  if (botId === undefined) {
    throw new Refusal(
      'the bot pull-partner is not deployed',
      'Set PARTNER_BASE_URL and its company, then `npm run deploy`.'
    );
  }
  const ask = async (input: object): Promise<PullAnswer> => server.execute<PullAnswer>(botId, input);
  let isStopped = false;
  process.once('SIGINT', () => (isStopped = true));
  const action = values.status ? 'partner/status' : values.cancel ? 'partner/cancel' : 'partner/pull';
  const wanted = {
    ...(values.full && { full: true }),
    ...(values.since && { since: values.since }),
    ...(values.types && { types: values.types.split(',') }),
  };
  let answer = await ask(action === 'partner/pull' ? { action, ...wanted, seconds: SECONDS } : { action });
  // What stands in the way for longer is the bot's to wait for.
  while (action === 'partner/pull' && !answer.isComplete && !isStopped && answer.failures < PATIENCE) {
    show(barOf(answer, Date.now()), values.json);
    await sleep(Math.min(LOOK_MS, Math.max(200, Date.parse(answer.nextAt ?? '') - Date.now() || 0)));
    answer = await follow(ask, answer);
  }
  if (values.json) {
    console.log(JSON.stringify(answer, undefined, 2));
  } else {
    show(barOf(answer, Date.now()));
    console.log(`\n${reportOf(answer)}`);
  }
  return answer.isComplete && (answer.problems ?? []).length === 0 ? 0 : 1;
}

/** Its own schedule may be at it just now: then we look on. */
async function follow(ask: (input: object) => Promise<PullAnswer>, before: PullAnswer): Promise<PullAnswer> {
  try {
    return await ask({ action: 'partner/pull', seconds: SECONDS });
  } catch (error) {
    if (!String((error as Error).message).includes('another run works on it')) {
      throw error;
    }
    const { runId, ...now } = await ask({ action: 'partner/status' });
    return { ...now, runId: runId ?? before.runId };
  }
}

function show(line: string, isSilent = false): void {
  if (!isSilent) {
    process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  }
}

await runCommand(pull);
