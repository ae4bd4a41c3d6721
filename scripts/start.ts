/** `npm start`: the sandbox. Two FHIR servers, sample patients, the story of a consent; then it stays up to be tried. */
import { createServer } from 'node:net';
import { parseArgs, styleText } from 'node:util';
import { openConsole } from './console/serve.ts';
import { installBundle } from './install.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import { signIn } from './story/rest.ts';
import { play } from './story/story.ts';

const USAGE = `npm start -- [--port N] [--replica-port N] [--console-port N] [--exit]

  --port N           port of the source (default 8103, or any free one)
  --replica-port N   port of the replica (default 8104, or any free one)
  --console-port N   port of the page to try it with (default 8105, or any free one)
  --exit             tell the story and end
`;

const OPTIONS = {
  port: { type: 'string' },
  'replica-port': { type: 'string' },
  'console-port': { type: 'string' },
  exit: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function read(): Values | undefined {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

/** The port that was asked for, or the usual one unless somebody is there already (a Medplum of the user's own, say). */
async function portOf(text: string | undefined, usual: number): Promise<number> {
  const port = text === undefined ? usual : Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`Not a port: ${text}`);
  }
  if (port === 0 || (await isFree(port))) {
    return port;
  }
  if (text !== undefined) {
    throw new Error(`Port ${port} is in use; choose another with --port, --replica-port and --console-port.`);
  }
  return 0;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

async function main(values: Values): Promise<void> {
  const ports = {
    source: await portOf(values.port, values.exit ? 0 : 8103),
    replica: await portOf(values['replica-port'], values.exit ? 0 : 8104),
  };
  const sandbox = await createSandbox({ ports });
  const { source, replica } = sandbox;
  const operator = await source.createClient('operator', { admin: true });
  await installBundle(sandbox, { settings: { ADMIN_CLIENTS: operator.reference } });
  const reader = await replica.createClient('reader', { admin: true });
  const stage = {
    sandbox,
    source: await signIn(source.baseUrl, operator),
    replica: await signIn(replica.baseUrl, reader),
  };

  console.log(
    `source  ${source.baseUrl}   a Medplum project, identified\nreplica ${replica.baseUrl}   de-identified copies, by consent\n`
  );
  const isAsTold = await play(stage, ({ asked, seen, isAsTold: ok }) => {
    console.log(
      `${ok ? styleText('green', '✓') : styleText('red', '✗')} ${asked}\n    ${styleText('dim', '→')} ${seen}`
    );
  });
  if (!isAsTold) {
    console.error('\nThe story did not go as told.');
    process.exitCode = 1;
  }
  if (values.exit) {
    await sandbox.close();
    return;
  }
  sandbox.clock.run();
  const page = await openConsole({ sandbox, operator }, await portOf(values['console-port'], 8105));
  console.log(invitation({ page: page.url, source: source.baseUrl, replica: replica.baseUrl, operator, reader }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void Promise.all([page.close(), sandbox.close()]).then(() => process.exit()));
  }
}

interface Invitation {
  readonly page: string;
  readonly source: string;
  readonly replica: string;
  readonly operator: { readonly id: string; readonly secret: string };
  readonly reader: { readonly id: string; readonly secret: string };
}

function invitation({ page, source, replica, operator, reader }: Invitation): string {
  return `
Both servers stay up; Ctrl-C ends them, and nothing is kept.

  Open this in a browser, and give and revoke consent yourself:

      ${page}

Or in another terminal:

  SOURCE='${operator.id}:${operator.secret}'
  REPLICA='${reader.id}:${reader.secret}'

  # who is there, identified
  curl -s -u "$SOURCE" '${source}fhir/R4/Patient?_count=3'
  # run a sweep, and see what it did
  curl -s -u "$SOURCE" -X POST '${source}fhir/R4/Bot/$execute?identifier=https://holilabs.xyz/fhir/bot|sweep'
  # ask the bot admin
  MEDPLUM_BASE_URL=${source} MEDPLUM_CLIENT_ID=\${SOURCE%%:*} MEDPLUM_CLIENT_SECRET=\${SOURCE#*:} npm run admin -- help
  # what the replica holds
  curl -s -u "$REPLICA" '${replica}fhir/R4/Observation?_count=3'
`;
}

const values = read();
if (values?.help) {
  console.log(USAGE);
} else if (values) {
  try {
    await main(values);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
