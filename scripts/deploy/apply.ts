/** Carries out a plan, step by step, each a single write: several writes in one request can be lost (`platform.md` §4.2). */
import type { Bot, ProjectMembership, Resource } from '@medplum/fhirtypes';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Systems } from '../../src/fhir/systems.ts';
import { versionOf } from './gather.ts';
import { ROOT } from './manifest.ts';
import { resolve } from './plan.ts';
import type { Action, Found } from './plan.ts';
import { Refusal } from './server.ts';
import type { Server } from './server.ts';
import { nameOf, ownerOfBot, placeholder } from './wanted.ts';
import type { Kind, Properties } from './wanted.ts';

/** Where things are written. */
export interface Target {
  readonly server: Server;
  readonly systems: Systems;
  readonly projectId: string;
  /** How long something new may take to be there; longer by default in Lambda. */
  readonly patienceMs?: number;
  readonly bundles: readonly { readonly name: string; readonly code: string; readonly version: string }[];
}

const TYPES = {
  policy: 'AccessPolicy',
  quota: 'UserConfiguration',
  bot: 'Bot',
  membership: 'ProjectMembership',
  operation: 'OperationDefinition',
  subscription: 'Subscription',
} as const satisfies Partial<Record<Kind, Resource['resourceType']>>;

/** How long a new Bot or its code may take to be there; Lambda is slower to change than a row of a database. */
const PATIENCE_MS = 5000;
const LAMBDA_PATIENCE_MS = 60_000;

/**
 * Applies the steps in their order, and stops at the first that fails.
 *
 * @param target - The server and the bundles.
 * @param found - What the plan was made from.
 * @param actions - The steps.
 * @param done - Called after each step.
 * @throws Refusal of the step that failed.
 */
export async function apply(
  target: Target,
  found: Found,
  actions: readonly Action[],
  done: (action: Action) => void
): Promise<void> {
  const ids = new Map<string, string>();
  const removed = new Set(actions.filter(({ verb, kind }) => verb === 'delete' && kind === 'bot').map(({ id }) => id));
  // Last one wins: with several, the one with the first id, as the plan has it.
  const byIdDescending = <T extends { readonly resource: { readonly id: string } }>(rows: readonly T[]): T[] =>
    [...rows].sort((a, b) => b.resource.id.localeCompare(a.resource.id));
  byIdDescending(found.policies).forEach(({ owner, resource }) =>
    ids.set(placeholder('policy', owner), `AccessPolicy/${resource.id}`)
  );
  byIdDescending(found.quotas).forEach(({ owner, resource }) =>
    ids.set(placeholder('quota', owner), `UserConfiguration/${resource.id}`)
  );
  found.bots
    .filter(({ bot }) => !removed.has(bot.id))
    .forEach(({ name, bot }) => ids.set(placeholder('bot', ownerOfBot(name)), `Bot/${bot.id}`));
  for (const action of actions) {
    await step(target, ids, action);
    done(action);
  }
}

type Ids = Map<string, string>;

async function step(target: Target, ids: Ids, action: Action): Promise<void> {
  const { verb, kind, owner, id } = action;
  const { server } = target;
  const botId = (): string => idOf(ids.get(placeholder('bot', owner)) ?? `Bot/${id}`);
  switch (kind) {
    case 'code':
      return deployCode(target, nameOf(owner), botId());
    case 'schedule':
      return change(server, `Bot/${id ?? botId()}`, {
        cronString: verb === 'delete' ? undefined : action.properties?.cronString,
      });
    case 'membership':
      if (verb !== 'delete') {
        const memberships = await server.search<ProjectMembership>(`ProjectMembership?user=Bot/${botId()}`);
        return change(server, `ProjectMembership/${memberships[0]?.id}`, resolve(action.properties ?? {}, ids));
      }
      break;
    case 'bot':
      if (verb === 'create') {
        return createBot(target, ids, action);
      }
      break;
    case 'policy':
    case 'quota':
    case 'operation':
    case 'subscription':
      break;
  }
  const type = TYPES[kind];
  if (verb === 'delete') {
    return server.remove(`${type}/${id}`);
  }
  const properties = resolve(action.properties ?? {}, ids);
  if (verb === 'update') {
    return change(server, `${type}/${id}`, properties);
  }
  const { id: created } = await server.create({
    resourceType: type,
    meta: { tag: [tagOf(target, owner)] },
    ...properties,
  } as unknown as Resource);
  ids.set(placeholder(kind, owner), `${type}/${created}`);
}

const idOf = (reference: string): string => reference.slice(reference.indexOf('/') + 1);
const tagOf = ({ systems }: Target, owner: string): { system: string; code: string } => ({
  system: systems.control,
  code: owner,
});

/** Reads, changes what we own, writes with If-Match; what others have set stays. */
async function change(server: Server, path: string, properties: Properties): Promise<void> {
  await server.update({ ...(await server.read<Resource>(path)), ...properties });
}

/**
 * Only this endpoint makes the membership along with the Bot. It writes more than once in a request, so its Bot can be invisible
 * for a moment (`platform.md` §4.2); its policy is given at once, so that there is no moment in which it may do everything.
 */
async function createBot(
  { server, systems, projectId, patienceMs = PATIENCE_MS }: Target,
  ids: Ids,
  { owner, properties = {} }: Action
): Promise<void> {
  const reference = ids.get(placeholder('policy', owner));
  const made = await server.call<Bot & { id: string }>('POST', `admin/projects/${projectId}/bot`, {
    name: properties.name,
    description: properties.description,
    runtimeVersion: properties.runtimeVersion,
    accessPolicy: { reference },
  });
  const path = `Bot/${made.id}`;
  await until(
    async () =>
      (await server.search<ProjectMembership>(`ProjectMembership?user=${path}`)).length > 0 && exists(server, path),
    `${path} was made, but is not there`,
    patienceMs
  );
  const tag = [{ system: systems.control, code: owner }];
  await change(server, path, { ...properties, meta: { ...(await server.read<Bot>(path)).meta, tag } });
  ids.set(placeholder('bot', owner), path);
}

async function exists(server: Server, path: string): Promise<boolean> {
  try {
    await server.read(path);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) {
      return false;
    }
    throw error;
  }
}

/** Lambda needs `$deploy`; elsewhere a Binary and one update do the same in two single writes (`platform.md` §13.6). Then the bot itself is asked. */
async function deployCode({ server, bundles, patienceMs }: Target, name: string, id: string): Promise<void> {
  const { code, version } = bundles.find((bundle) => bundle.name === name)!;
  const source = `src/bots/${name}.ts`;
  const filename = `${name}.js`;
  const sourceId = await server.upload(readFileSync(join(ROOT, source), 'utf8'), 'text/typescript', `${name}.ts`);
  const sourceCode = { contentType: 'text/typescript', url: `Binary/${sourceId}`, title: `${name}.ts` };
  const { runtimeVersion } = await server.read<Bot>(`Bot/${id}`);
  if (runtimeVersion === 'awslambda') {
    await change(server, `Bot/${id}`, { sourceCode });
    await server.deploy(id, code, filename);
  } else {
    const binaryId = await server.upload(code, 'text/javascript', filename);
    await change(server, `Bot/${id}`, {
      sourceCode,
      executableCode: { contentType: 'text/javascript', url: `Binary/${binaryId}`, title: filename },
    });
  }
  await until(
    async () => (await versionOf(server, id)) === version,
    `${name} does not run version ${version} after its upload`,
    patienceMs ?? (runtimeVersion === 'awslambda' ? LAMBDA_PATIENCE_MS : PATIENCE_MS)
  );
}

async function until(isDone: () => Promise<boolean>, complaint: string, patienceMs: number): Promise<void> {
  const end = Date.now() + patienceMs;
  for (let wait = 50; !(await isDone()); wait = Math.min(wait * 2, 5000)) {
    if (Date.now() + wait > end) {
      throw new Refusal(
        complaint,
        'The server took the request without effect. Run the same command again; if it stays, look at the server’s log and at the bot’s AuditEvents.'
      );
    }
    await sleep(wait);
  }
}
