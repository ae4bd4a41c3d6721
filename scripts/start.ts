/** `npm start`: the sandbox. Two FHIR servers, sample patients, the story of a consent; then it stays up to be tried. */
import { parseArgs, styleText } from 'node:util';
import { installBundle } from './install.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import { signIn } from './story/rest.ts';
import { play } from './story/story.ts';

const USAGE = `npm start -- [--port N] [--replica-port N] [--exit]

  --port N           port of the source (default 8103)
  --replica-port N   port of the replica (default 8104)
  --exit             tell the story and end; then any free ports are used unless given
`;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    'replica-port': { type: 'string' },
    exit: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

function portOf(text: string | undefined, fallback: number): number {
  const port = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`Not a port: ${text}`);
  }
  return port;
}

async function main(): Promise<void> {
  const ports = {
    source: portOf(values.port, values.exit ? 0 : 8103),
    replica: portOf(values['replica-port'], values.exit ? 0 : 8104),
  };
  const sandbox = await createSandbox({ ports });
  const { source, replica } = sandbox;
  await installBundle(sandbox);
  const operator = await source.createClient('operator', { admin: true });
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
  console.log(invitation({ source: source.baseUrl, replica: replica.baseUrl, operator, reader }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void sandbox.close().then(() => process.exit()));
  }
}

interface Invitation {
  readonly source: string;
  readonly replica: string;
  readonly operator: { readonly id: string; readonly secret: string };
  readonly reader: { readonly id: string; readonly secret: string };
}

function invitation({ source, replica, operator, reader }: Invitation): string {
  return `
Both servers stay up; Ctrl-C ends them, and nothing is kept. To try them:

  SOURCE='${operator.id}:${operator.secret}'
  REPLICA='${reader.id}:${reader.secret}'

  # who is there, identified
  curl -s -u "$SOURCE" '${source}fhir/R4/Patient?_count=3'
  # run a sweep, and see what it did
  curl -s -u "$SOURCE" -X POST '${source}fhir/R4/Bot/$execute?identifier=https://holilabs.xyz/fhir/bot|sweep'
  # what the replica holds
  curl -s -u "$REPLICA" '${replica}fhir/R4/Observation?_count=3'
`;
}

if (values.help) {
  console.log(USAGE);
} else {
  await main();
}
