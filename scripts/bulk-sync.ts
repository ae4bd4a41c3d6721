/** `npm run bulk-sync`: fills the replica from a project that has records already, with progress; Ctrl-C stops it, the next call goes on. */
import { systemsOf } from '../src/fhir/systems.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { connect, credentialsOf } from './deploy/server.ts';

const USAGE = `npm run bulk-sync -- [--types Encounter,Observation] [--org Organization/1] [--limit N] [--all] [--dry-run]

Copies what has no copy yet, patient by patient, by the bot \`reconcile\`; --all also repairs what differs. Reads MEDPLUM_BASE_URL,
MEDPLUM_CLIENT_ID, MEDPLUM_CLIENT_SECRET (an admin of the source project).`;

/** One call: short enough to show progress, long enough that its own cost is small. */
const SECONDS = 10;
const WIDTH = 30;

interface Answer {
  readonly isComplete: boolean;
  readonly walked: number;
  readonly enqueued: number;
  readonly errors: readonly string[];
  readonly state?: object;
}

async function bulkSync(args: readonly string[]): Promise<number> {
  const { values } = readArgs(
    args,
    {
      types: { type: 'string' },
      org: { type: 'string' },
      limit: { type: 'string' },
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
  const [bot] = await server.search<{ resourceType: 'Bot'; id: string }>(
    `Bot?identifier=${encodeURIComponent(`${systemsOf().bot}|reconcile`)}`
  );
  if (!bot) {
    console.error('The bot reconcile is not deployed.');
    return 1;
  }
  let isStopped = false;
  process.once('SIGINT', () => (isStopped = true));
  const filter = values.org ? `organization=${values.org}&` : '';
  const { total = 0 } = await server.call<{ total?: number }>('GET', `fhir/R4/Patient?${filter}_summary=count`);
  const begin = Date.now();
  let state: object | undefined;
  for (;;) {
    const answer: Answer = await server.execute<Answer>(bot.id, {
      ...(values.types && { types: values.types.split(',') }),
      ...(values.org && { organization: values.org }),
      ...(values.limit && { limit: Number(values.limit) }),
      ...(values['dry-run'] && { dryRun: true }),
      ...(state && { state }),
      onlyNotSynced: !values.all,
      seconds: SECONDS,
    });
    ({ state } = answer);
    show(answer, total, Date.now() - begin);
    if (answer.isComplete || isStopped) {
      console.log(answer.isComplete ? '\ndone' : '\nstopped; the next call goes on from here');
      answer.errors.forEach((error) => console.error(`  ! ${error}`));
      return answer.errors.length > 0 ? 1 : 0;
    }
  }
}

function show({ walked, enqueued }: Answer, total: number, ms: number): void {
  const share = total > 0 ? Math.min(1, walked / total) : 1;
  const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
  const rate = Math.round((enqueued / ms) * 1000);
  const left = share > 0 ? Math.round((ms / share - ms) / 1000) : 0;
  const line = `${bar} ${Math.round(share * 100)} %  ${walked} of ${total} patients  ${enqueued} copies  ${rate}/s  ${left} s left`;
  process.stdout.write(process.stdout.isTTY ? `\r${line}` : `${line}\n`);
}

await runCommand(bulkSync);
