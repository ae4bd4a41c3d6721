/** How the bots sign in to the replica: keys to register, a login in the browser, and what is set. Secrets are never shown. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { load } from '../src/config/load.ts';
import type { Config } from '../src/config/load.ts';
import type { Prefix } from '../src/config/sign-in.ts';
import { jwkOf, readSigningKey } from '../src/config/client-key.ts';
import { login } from './connect/login.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { gatherProject } from './deploy/gather.ts';
import type { ProjectFacts } from './deploy/gather.ts';
import { mergeSecrets, secretsOf } from './deploy/secrets.ts';
import { connect, credentialsOf, Refusal } from './deploy/server.ts';
import type { Server } from './deploy/server.ts';
import { writeSecrets } from './deploy/write-secrets.ts';

const USAGE = `npm run connect -- [login] | keygen | jwks | describe | list | remove

  login      signs in as somebody, in the browser, and stores the refresh token as a Project secret
             --base-url --fhir-path --authorize-url --token-url --client-id --scope   (what is not given is what is set)
             --port 9615   the redirect URI to register is http://127.0.0.1:9615/callback
             --no-browser  prints the address
  keygen     makes a private key, stores it as a Project secret and prints what to register (--alg ES384 or RS384; --replace;
             --partner: PARTNER_PRIVATE_KEY instead of REPLICA_PRIVATE_KEY)
  jwks       prints the public key as a JWK Set, to be registered with the server (--partner: that of the partner)
  describe   how the bots sign in: each setting, and of secrets whether they are set
  list       the connections: replica and eraser
  remove     takes out the refresh token`;

const OPTIONS = {
  'base-url': { type: 'string' },
  'fhir-path': { type: 'string' },
  'authorize-url': { type: 'string' },
  'token-url': { type: 'string' },
  'client-id': { type: 'string' },
  scope: { type: 'string' },
  port: { type: 'string' },
  'no-browser': { type: 'boolean' },
  alg: { type: 'string' },
  replace: { type: 'boolean' },
  partner: { type: 'boolean' },
} as const;

/** The default of Medplum's own CLI. */
const PORT = '9615';
const MINUTES_TO_SIGN_IN = 5;

type Given = ReturnType<typeof readArgs<typeof OPTIONS>>['values'];

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(args, OPTIONS, USAGE);
  const [command = 'login', ...rest] = positionals;
  const run = COMMANDS[command];
  if (!run || rest.length > 0) {
    throw new Refusal('not understood', USAGE);
  }
  const server = connect(credentialsOf(process.env));
  await run(server, await gatherProject(server), values);
  return 0;
}

const COMMANDS: Readonly<Record<string, (server: Server, project: ProjectFacts, given: Given) => Promise<void>>> = {
  login: signIn,
  keygen,
  jwks: async (_server, { secrets }, given) => {
    const prefix = prefixOf(given);
    const value = (name: string): string | undefined => secretsOf(secrets)[`${prefix}_${name}`]?.valueString;
    printJwks(prefix, value('PRIVATE_KEY'), value('SIGNING_ALGORITHM'), value('PRIVATE_KEY_ID'));
    return Promise.resolve();
  },
  describe,
  list,
  remove,
};

async function signIn(server: Server, project: ProjectFacts, given: Given): Promise<void> {
  const pairs = [
    ['REPLICA_BASE_URL', given['base-url']],
    ['REPLICA_FHIR_PATH', given['fhir-path']],
    ['REPLICA_TOKEN_PATH', given['token-url']],
    ['REPLICA_CLIENT_ID', given['client-id']],
    ['REPLICA_SCOPE', given.scope],
  ] as const;
  const chosen = new Map(
    pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name as string, value] as const]))
  );
  // A token that is still to come; the settings around it have to be right before anybody is asked to sign in.
  const planned = new Map([
    ...chosen,
    ['REPLICA_AUTH', 'refresh-token'],
    ['REPLICA_REFRESH_TOKEN', 'to-be-obtained-by-the-login'],
  ]);
  const { replica } = configOf(mergeSecrets(project.secrets, planned).list);
  const { refreshToken, tokenUrl } = await login({
    client: replica,
    fhirUrl: replica.fhirUrl,
    authorizeUrl: given['authorize-url'] && new URL(given['authorize-url'], replica.fhirUrl).href,
    isTokenUrlGiven: given['token-url'] !== undefined,
    scope: replica.scope ?? 'openid offline_access',
    port: Number(given.port ?? PORT),
    timeoutMs: MINUTES_TO_SIGN_IN * 60_000,
    open: (url) => {
      console.log(`Sign in here:\n  ${url}`);
      if (!given['no-browser']) {
        openBrowser(url);
      }
    },
  });
  const values = new Map([
    ...chosen,
    ['REPLICA_AUTH', 'refresh-token'],
    ['REPLICA_TOKEN_PATH', tokenUrl],
    ['REPLICA_REFRESH_TOKEN', refreshToken],
  ]);
  const { list: next, added, changed } = mergeSecrets(project.secrets, values);
  await writeSecrets(server, project, next);
  console.log(`connected; set: ${[...added, ...changed].join(', ')}`);
}

async function keygen(server: Server, project: ProjectFacts, given: Given): Promise<void> {
  const { alg = 'ES384', replace } = given;
  if (alg !== 'ES384' && alg !== 'RS384') {
    throw new Refusal('--alg is ES384 or RS384', USAGE);
  }
  const name = `${prefixOf(given)}_PRIVATE_KEY`;
  if (secretsOf(project.secrets)[name] && !replace) {
    throw new Refusal(
      'there is a key already',
      'Register the new one beside it before it is used: --replace makes it and prints it.'
    );
  }
  const { privateKey } =
    alg === 'ES384'
      ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
      : generateKeyPairSync('rsa', { modulusLength: 3072 });
  const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await writeSecrets(server, project, mergeSecrets(project.secrets, new Map([[name, text]])).list);
  printJwks(prefixOf(given), text);
}

function prefixOf({ partner }: Given): Prefix {
  return partner ? 'PARTNER' : 'REPLICA';
}

function printJwks(prefix: Prefix, text: string | undefined, alg?: string, kid?: string): void {
  const key = text === undefined ? { problem: 'is not set' } : readSigningKey(text, alg, kid);
  if ('problem' in key) {
    const option = prefix === 'PARTNER' ? ' --partner' : '';
    throw new Refusal(`${prefix}_PRIVATE_KEY ${key.problem}`, `Make one: npm run connect -- keygen${option}.`);
  }
  console.log(JSON.stringify({ keys: [jwkOf(key)] }, undefined, 2));
}

async function describe(_server: Server, { secrets }: ProjectFacts): Promise<void> {
  const { replica } = configOf(secrets);
  const rows = [
    ['signs in by', replica.auth],
    ['FHIR endpoint', replica.fhirUrl],
    ['token endpoint', replica.auth === 'basic' ? 'not used' : replica.tokenUrl],
    ['client', replica.clientId],
    ['scope', replica.scope ?? 'not set'],
    ['client secret', replica.clientSecret ? `set, sent by ${replica.clientAuth}` : 'not set'],
    ['private key', replica.signingKey ? `${replica.signingKey.alg}, kid ${replica.signingKey.kid}` : 'not set'],
    ['refresh token', replica.refreshToken ? 'set' : 'not set'],
  ];
  rows.forEach(([name = '', value]) => {
    console.log(`  ${name.padEnd(16)} ${value}`);
  });
  return Promise.resolve();
}

async function list(_server: Server, { secrets }: ProjectFacts): Promise<void> {
  const { replica, eraser } = configOf(secrets);
  console.log(`  replica  ${replica.auth.padEnd(18)} ${replica.fhirUrl}  ${replica.clientId}`);
  if (eraser) {
    console.log(
      `  eraser   ${(replica.auth === 'basic' ? 'basic' : 'client-credentials').padEnd(18)} ${replica.fhirUrl}  ${eraser.clientId}`
    );
  }
  return Promise.resolve();
}

async function remove(server: Server, project: ProjectFacts): Promise<void> {
  const isOurs = ({ name, valueString }: ProjectFacts['secrets'][number]): boolean =>
    name === 'REPLICA_REFRESH_TOKEN' ||
    (name === 'REPLICA_AUTH' && /^(refresh-token|authorization-code)$/.test(valueString ?? ''));
  const next = project.secrets.filter((row) => !isOurs(row));
  if (next.length === project.secrets.length) {
    console.log('there is no refresh token');
    return;
  }
  await writeSecrets(server, project, next);
  console.log(
    'removed: REPLICA_REFRESH_TOKEN. The bots cannot sign in until another way is set; end the grant at the server as well.'
  );
}

function configOf(secrets: ProjectFacts['secrets']): Config {
  const loaded = load(secretsOf(secrets));
  if ('problems' in loaded) {
    throw new Refusal(loaded.problems.join('\n  '), 'Set them with `npm run secrets -- push`.');
  }
  return loaded.config;
}

/** Best effort: the address is on the screen as well. */
function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['explorer', url]
        : ['xdg-open', url];
  spawn(command, args, { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref();
}

await runCommand(main);
