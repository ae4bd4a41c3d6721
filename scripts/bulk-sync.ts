/** `npm run bulk-sync`: fills the replica from a project that has records already, with progress; Ctrl-C stops it, the next call goes on. */
import { setTimeout as wait } from 'node:timers/promises';
import { KINDS } from '../src/flows/reconciliation.ts';
import type { Counts } from '../src/flows/reconciliation.ts';
import { progressLine } from './bulk-sync/progress.ts';
import type { Since } from './bulk-sync/progress.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { findBot } from './deploy/find-bot.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';
import type { Server } from './deploy/server.ts';

const USAGE = `npm run bulk-sync -- [--types Encounter,Observation] [--org Organization/1] [--limit N] [--all] [--dry-run] [--seconds N]

Copies what has no copy yet, patient by patient, by the bot \`reconcile\`; --all also repairs what differs. Reads MEDPLUM_BASE_URL,
MEDPLUM_CLIENT_ID, MEDPLUM_CLIENT_SECRET (an admin of the source project). One call of the bot takes --seconds, 10 by default.`;

/** One call: short enough to show progress, long enough that its own cost is small. */
const SECONDS = 10;
/** The bot's own schedule goes on with open runs as well, for minutes at a time. */
const BUSY = /another run works on it/;
const BUSY_WAIT_MS = 5000;

interface Answer {
  readonly isComplete: boolean;
  readonly durationMs: number;
  readonly walked: number;
  readonly enqueued: number;
  readonly errors: readonly string[];
  readonly state?: object;
  /** Of each type: `encounters: {notSynced: 1, …}`. */
  readonly [types: string]: unknown;
}

async function bulkSync(args: readonly string[]): Promise<number> {
  const { values } = readArgs(
    args,
    {
      types: { type: 'string' },
      org: { type: 'string' },
      limit: { type: 'string' },
      seconds: { type: 'string' },
      all: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean' },
    },
    USAGE
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const server = connect(credentialsOf(process.env));
  const botId = await findBot(server, 'reconcile');
  if (botId === undefined) {
    console.error('The bot reconcile is not deployed.');
    return 1;
  }
  let isStopped = false;
  process.once('SIGINT', () => {
    process.stdout.write('\nstopping when the bot has answered…\n');
    isStopped = true;
  });
  const filter = values.org ? `organization=${values.org}&` : '';
  const { total = 0 } = await server.call<{ total?: number }>('GET', `fhir/R4/Patient?${filter}_summary=count`);
  const isDryRun = values['dry-run'] === true;
  const input = {
    ...(values.types && { types: values.types.split(',') }),
    ...(values.org && { organization: values.org }),
    ...(values.limit && { limit: Number(values.limit) }),
    ...(isDryRun && { dryRun: true }),
    onlyNotSynced: !values.all,
    seconds: Number(values.seconds ?? SECONDS),
  };
  const begin = Date.now();
  let since: Since | undefined;
  let answer: Answer | undefined;
  while (!answer?.isComplete && !isStopped) {
    const next = await askUnlessBusy(server, botId, { ...input, ...(answer?.state && { state: answer.state }) });
    if (!next) {
      show('another run of the bot works on it; waiting');
      await wait(BUSY_WAIT_MS);
      continue;
    }
    answer = next;
    // A run that is older than this command was begun by somebody else: its rate is not ours.
    const isOurs = answer.durationMs <= Date.now() - begin + 1000;
    since ??= isOurs ? { walked: 0, enqueued: 0, at: begin } : { ...answer, at: Date.now() };
    show(progressLine(answer, total, since, Date.now()));
  }
  return told(answer, isDryRun);
}

async function askUnlessBusy(server: Server, botId: string, input: object): Promise<Answer | undefined> {
  try {
    return await server.execute<Answer>(botId, input);
  } catch (error) {
    if (error instanceof Refusal && BUSY.test(error.message)) {
      return undefined;
    }
    throw error;
  }
}

function told(answer: Answer | undefined, isDryRun: boolean): number {
  const { isComplete = false, errors = [] } = answer ?? {};
  if (isDryRun) {
    console.log(`\n${isComplete ? '' : 'stopped; so far '}${differencesIn(answer)}`);
  } else {
    console.log(
      isComplete ? '\ndone' : '\nstopped; the next call goes on from here, and so does the bot by its schedule'
    );
  }
  errors.forEach((error) => console.error(`  ! ${error}`));
  return errors.length > 0 ? 1 : 0;
}

function differencesIn(answer: Answer | undefined): string {
  const found = KINDS.flatMap((kind) => {
    const counts = Object.values(answer ?? {}).map((one) => (one as Partial<Counts> | undefined)?.[kind] ?? 0);
    const sum = counts.reduce((a, b) => a + b, 0);
    return sum > 0 ? [`${sum} ${kind}`] : [];
  });
  return found.length > 0 ? `would be brought in line: ${found.join(', ')}` : 'nothing would be done';
}

function show(line: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
}

await runCommand(bulkSync);
