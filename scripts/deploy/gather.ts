/** Reads what the server holds of ours: by identifier or tag, never by name. */
import type {
  AccessPolicy,
  Bot,
  OperationDefinition,
  Project,
  ProjectMembership,
  Resource,
  Subscription,
  UserConfiguration,
} from '@medplum/fhirtypes';
import type { Systems } from '../../src/fhir/systems.ts';
import type { Found, FoundBot, Owned } from './plan.ts';
import type { Server, Session } from './server.ts';
import { Refusal } from './server.ts';
import { nameOf } from './wanted.ts';

const OWNER = /^(bot|role)\.\S+$/;

/** What is known about the project. */
export interface ProjectFacts extends Session {
  readonly features: readonly string[];
  readonly secrets: NonNullable<Project['secret']>;
}

/**
 * Reads the project, and refuses a client that could not deploy into it.
 *
 * @param server - The server.
 * @returns The project.
 * @throws Refusal when the client is no admin, or the project runs no bots.
 */
export async function gatherProject(server: Server): Promise<ProjectFacts> {
  const session = await server.session();
  if (!session.isAdmin) {
    throw new Refusal(
      'the client is not an admin of the project',
      'Set "admin" on its ProjectMembership: only an admin can give bots their policies.'
    );
  }
  const { features = [] } = await server.read<Project>(`Project/${session.projectId}`);
  const { project } = await server.call<{ project: { secret?: Project['secret'] } }>(
    'GET',
    `admin/projects/${session.projectId}`
  );
  return { ...session, features, secrets: project.secret ?? [] };
}

/**
 * Reads everything of ours.
 *
 * @param server - The server.
 * @param systems - Our systems.
 * @param probe - Whether to ask each bot for its version.
 * @returns What was found.
 */
export async function gather(server: Server, systems: Systems, probe = true): Promise<Found> {
  const owned = async <T extends Resource>(type: T['resourceType']): Promise<Owned<T>[]> => {
    const rows = await server.search<T>(`${type}?_tag=${encodeURIComponent(`${systems.control}|`)}`);
    return rows.flatMap((resource) => {
      const owner = resource.meta?.tag?.find(
        ({ system, code }) => system === systems.control && OWNER.test(code ?? '')
      )?.code;
      return owner ? [{ owner, resource }] : [];
    });
  };
  const policies = await owned<AccessPolicy>('AccessPolicy');
  return {
    policies,
    quotas: await owned<UserConfiguration>('UserConfiguration'),
    subscriptions: await owned<Subscription>('Subscription'),
    operations: await owned<OperationDefinition>('OperationDefinition'),
    inUse: await usedOf(server, policies),
    bots: await gatherBots(server, systems, policies, probe),
  };
}

async function gatherBots(
  server: Server,
  systems: Systems,
  policies: Found['policies'],
  probe: boolean
): Promise<FoundBot[]> {
  const identified = await server.search<Bot>(`Bot?identifier=${encodeURIComponent(`${systems.bot}|`)}`);
  const named = identified.map((bot) => ({
    bot,
    name: bot.identifier?.find(({ system }) => system === systems.bot)?.value ?? '',
  }));
  const unfinished = await unfinishedOf(
    server,
    policies,
    named.map(({ bot }) => bot.id)
  );
  const found: FoundBot[] = [];
  for (const { bot, name } of [...named, ...unfinished]) {
    const [membership] = await server.search<ProjectMembership>(`ProjectMembership?user=Bot/${bot.id}`);
    found.push({
      name,
      bot,
      membership,
      version: probe && membership && bot.executableCode ? await versionOf(server, bot.id) : undefined,
    });
  }
  return found;
}

async function usedOf(server: Server, policies: Found['policies']): Promise<string[]> {
  const used: string[] = [];
  for (const { owner, resource } of policies) {
    if (owner.startsWith('role.') && (await membershipsWith(server, resource.id)).length > 0) {
      used.push(resource.id);
    }
  }
  return used;
}

const membershipsWith = (server: Server, policyId: string): Promise<ProjectMembership[]> =>
  server.search<ProjectMembership>(`ProjectMembership?access-policy=AccessPolicy/${policyId}`);

/** A run that was cut between the making of a Bot and its identifier left a Bot that has our policy already. */
async function unfinishedOf(
  server: Server,
  policies: Found['policies'],
  known: readonly string[]
): Promise<{ bot: Bot & { id: string }; name: string }[]> {
  const found: { bot: Bot & { id: string }; name: string }[] = [];
  for (const { owner, resource } of policies.filter((policy) => policy.owner.startsWith('bot.'))) {
    for (const { user } of await membershipsWith(server, resource.id)) {
      const [type, id = ''] = user?.reference?.split('/') ?? [];
      if (type === 'Bot' && !known.includes(id)) {
        found.push({ bot: await server.read<Bot>(`Bot/${id}`), name: nameOf(owner) });
      }
    }
  }
  return found;
}

/**
 * Asks a bot which code it runs.
 *
 * @param server - The server.
 * @param id - The bot's id.
 * @returns The version; undefined when it does not run, or runs something that does not know the question.
 */
export async function versionOf(server: Server, id: string): Promise<string | undefined> {
  try {
    const answer = await server.execute<{ version?: unknown } | undefined>(id, { probe: 'version' });
    return typeof answer?.version === 'string' ? answer.version : undefined;
  } catch (error) {
    // 400 is how Medplum says that a bot failed; anything else is a failure of ours or of the server.
    if (error instanceof Refusal && error.status === 400) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Subscriptions of other people that start bots of ours.
 *
 * @param server - The server.
 * @param found - What was found.
 * @returns `Subscription/<id>` and bot, each.
 */
export async function strangersOf(server: Server, { bots, subscriptions }: Found): Promise<string[]> {
  const ours = new Set(subscriptions.map(({ resource }) => resource.id));
  const strangers: string[] = [];
  for (const { name, bot } of bots) {
    const rows = await server.search<Subscription>(`Subscription?url=Bot/${bot.id}`);
    strangers.push(...rows.filter(({ id }) => !ours.has(id)).map(({ id }) => `Subscription/${id} starts ${name}`));
  }
  return strangers;
}
