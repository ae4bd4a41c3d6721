/** `npm run research`: starts an export of a cohort, follows it, and fetches its files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { findBot } from './deploy/find-bot.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';

const USAGE = `npm run research -- start --cohort 'Condition?code=http://snomed.info/sct|44054006' [--types Patient,Condition] [--k 20] [--out DIR]
npm run research -- follow ID [--out DIR]
npm run research -- list
npm run research -- cancel ID

Exports a cohort for research (docs/research.md). Reads MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID, MEDPLUM_CLIENT_SECRET (a client of ADMIN_CLIENTS).`;

const POLL_MS = 2000;
const ACTIONS = ['start', 'follow', 'list', 'cancel'];

interface Answer {
  readonly id?: string;
  readonly status?: string;
  readonly phase?: string;
  readonly reason?: string;
  readonly output?: readonly { readonly type: string; readonly url: string; readonly count: number }[];
  readonly extension?: { readonly id: string; readonly kAnonymity: object };
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(
    args,
    {
      cohort: { type: 'string' },
      types: { type: 'string' },
      k: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean' },
    },
    USAGE
  );
  const [action = '', id] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (!ACTIONS.includes(action) || (action === 'start') !== (values.cohort !== undefined)) {
    throw new Refusal('what is asked for is not clear', USAGE);
  }
  const credentials = credentialsOf(process.env);
  const server = connect(credentials);
  const botId = await findBot(server, 'research-export');
  if (botId === undefined) {
    throw new Refusal('the bot research-export is not deployed', 'npm run deploy');
  }
  const ask = async (input: object): Promise<Answer> => server.execute<Answer>(botId, input);
  if (action === 'list' || action === 'cancel') {
    console.log(JSON.stringify(await ask(action === 'list' ? { action } : { action, id }), undefined, 2));
    return 0;
  }
  const { cohort, types, k } = values;
  const begun =
    action === 'start' ? { action, cohort, ...(types && { types }), ...(k && { k: Number(k) }) } : undefined;
  let answer = await ask(begun ?? { action: 'status', id });
  while (answer.status === 'in-progress') {
    console.error(`${answer.id}: ${answer.phase}`);
    await sleep(POLL_MS);
    answer = await ask({ action: 'status', id: answer.id });
  }
  if (!answer.output) {
    console.error(`${answer.id}: ${answer.status}${answer.reason ? `, ${answer.reason}` : ''}`);
    return 1;
  }
  if (values.out) {
    mkdirSync(values.out, { recursive: true });
    const { clientId, clientSecret } = credentials;
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    for (const [index, { type, url, count }] of answer.output.entries()) {
      const response = await fetch(url, { headers: { authorization } });
      const text = await response.text();
      if (!response.ok || text.trim().split('\n').length !== count) {
        throw new Refusal(
          `file ${index}: status ${response.status}`,
          `npm run research -- follow ${answer.extension?.id} --out DIR`
        );
      }
      writeFileSync(join(values.out, `${type}-${index}.ndjson`), text);
    }
    writeFileSync(join(values.out, 'manifest.json'), `${JSON.stringify(answer, undefined, 2)}\n`);
  }
  console.log(JSON.stringify(answer, undefined, 2));
  return 0;
}

await runCommand(main);
