import type { WithId } from '@medplum/core';
import type {
  AccessPolicy,
  Bot,
  ClientApplication,
  Extension,
  Identifier,
  Project,
  ProjectMembership,
  Reference,
  Subscription,
} from '@medplum/fhirtypes';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bots } from './bots.ts';
import type { BotRun } from './bots.ts';
import { Callers } from './callers.ts';
import type { SandboxClock } from './clock.ts';
import { CronBots } from './cron-bots.ts';
import { loadDefinitions } from './definitions.ts';
import { Faults } from './faults.ts';
import { readRequest, writeResponse } from './http.ts';
import { Quota } from './quota.ts';
import { StrictRepository } from './repository.ts';
import type { Backend, Caller } from './repository.ts';
import { Routes } from './routes.ts';
import { Store } from './store.ts';
import { Subscriptions } from './subscriptions.ts';
import { Tokens } from './tokens.ts';
import { Wire } from './wire.ts';
import type { WireEntry } from './wire.ts';
import { WorkCount } from './work-count.ts';

export interface SandboxServerOptions {
  readonly name: string;
  /** 0, the default, is any free port. */
  readonly port?: number;
  readonly clock: SandboxClock;
  /** Default true. */
  readonly saveAuditEvents?: boolean;
  /** `Project.features`. Default: bots, cron and transaction-bundles. */
  readonly features?: NonNullable<Project['features']>;
  /** Interaction units per membership and minute (platform.md §5.1). Default: counted, not limited. */
  readonly quotaLimit?: number;
  /** Lifetime of client tokens. Default: an hour. */
  readonly tokenSeconds?: number;
}

/** A ClientApplication that was created, with what it needs to log in. */
export interface SandboxClient {
  readonly id: string;
  readonly secret: string;
  readonly reference: string;
  readonly membershipId: string;
}

export interface MembershipOptions {
  /** Stored as an AccessPolicy and attached. Without one the membership may do nearly everything (platform.md §6.2). */
  readonly accessPolicy?: Omit<AccessPolicy, 'resourceType'>;
  readonly admin?: boolean;
}

export interface BotDefinition extends MembershipOptions {
  readonly name: string;
  /** With an identifier that exists, the bot is replaced, as a deployment does. */
  readonly identifier?: Identifier;
  /** The text of the built bundle. */
  readonly code: string;
  readonly cronString?: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly auditEventTrigger?: NonNullable<Bot['auditEventTrigger']>;
}

export interface SubscribeOptions {
  /** `subscription-supported-interaction`. Default: all three. */
  readonly interaction?: 'create' | 'update' | 'delete';
  /** `fhir-path-criteria-expression`, with %previous and %current. */
  readonly expression?: string;
}

/** One FHIR server in this process, on loopback HTTP. */
export interface SandboxServer {
  readonly name: string;
  /** Ends with a slash. */
  readonly baseUrl: string;
  readonly projectId: string;
  /** The operator's own access: same rules, no AuditEvents, no quota, no policy. */
  readonly repo: StrictRepository;
  readonly clock: SandboxClock;
  readonly faults: Faults;
  readonly quota: Quota;
  /** Requests by `METHOD interaction`. */
  readonly requestCounts: ReadonlyMap<string, number>;
  readonly botRuns: readonly BotRun[];
  createClient(name: string, options?: MembershipOptions): Promise<SandboxClient>;
  createBot(definition: BotDefinition): Promise<WithId<Bot>>;
  /** Makes an active rest-hook Subscription to a bot. */
  subscribe(bot: WithId<Bot>, criteria: string, options?: SubscribeOptions): Promise<WithId<Subscription>>;
  /** Replaces `Project.secret`; bots see `event.secrets[NAME]`. */
  setSecrets(secrets: Readonly<Record<string, string>>): Promise<void>;
  /** Calls `listener` after each HTTP exchange; the returned function stops that. */
  onRequest(listener: (entry: WireEntry) => void): () => void;
  /** Calls `listener` after each bot run; the returned function stops that. */
  onBotRun(listener: (run: BotRun) => void): () => void;
  /**
   * Resolves when no Subscription job and no cron run is queued or running.
   * @throws Error after `timeoutMs` of real time, naming the bots that are still running.
   */
  idle(options?: { timeoutMs?: number }): Promise<void>;
  /** Stops listening and cuts open connections. What is stored stays readable through `repo`. */
  close(): Promise<void>;
}

const EXTENSIONS = 'https://medplum.com/fhir/StructureDefinition';

/** Starts a server with an empty project. Resolves when it listens. */
export async function startServer(options: SandboxServerOptions): Promise<SandboxServer> {
  loadDefinitions();
  const { clock } = options;
  const store = new Store();
  const quota = new Quota(clock, options.quotaLimit);
  const tokens = new Tokens(clock);
  const callers = new Callers(store, tokens);
  const work = new WorkCount();
  const wire = new Wire();
  const faults = new Faults();
  const projectId = randomUUID();

  const listener = createServer();
  const baseUrl = await listen(listener, options.port ?? 0);
  const backend: Backend = {
    store,
    clock,
    quota,
    projectId,
    baseUrl,
    saveAuditEvents: options.saveAuditEvents ?? true,
    onCommit(changes, trace) {
      for (const change of changes) {
        cron.changed(change);
        subscriptions.changed(change, trace);
      }
    },
  };
  const bots = new Bots(backend, callers, tokens);
  const subscriptions = new Subscriptions(store, bots, work);
  subscriptions.isLost = (change) => faults.loses(change);
  const cron = new CronBots(store, bots, clock, work);
  const forgetCron = clock.add(cron);
  const routes = new Routes({ backend, callers, tokens, bots, tokenSeconds: options.tokenSeconds });

  const operator: Caller = {
    author: { reference: `ClientApplication/${randomUUID()}`, display: `${options.name} operator` },
    membershipId: 'operator',
    admin: true,
    policy: undefined,
    trace: { requestId: randomUUID(), traceId: randomUUID() },
    extended: true,
    system: true,
  };
  const repo = new StrictRepository(backend, operator);
  await createProject(backend, operator, options);

  listener.on('request', (message: IncomingMessage, response: ServerResponse) => {
    void handle(message, response);
  });

  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    const at = clock.iso();
    const request = await readRequest(message, newTrace(message));
    if (faults.delayMs > 0) {
      await sleep(faults.delayMs);
    }
    const strike = faults.strike(request);
    const routed = strike && !strike.afterwards ? undefined : await routes.answer(request);
    const answer = strike ? strike.response : routed?.response;
    wire.record({
      at,
      startedMs,
      request,
      response: answer,
      interaction: routed?.interaction ?? 'fault',
      caller: routed?.caller,
    });
    if (answer) {
      writeResponse(response, answer);
    } else {
      message.socket.destroy();
    }
  }

  async function join(profile: Reference, { accessPolicy, admin }: MembershipOptions): Promise<WithId<ProjectMembership>> {
    const policy = accessPolicy && (await repo.createResource<AccessPolicy>({ ...accessPolicy, resourceType: 'AccessPolicy' }));
    return repo.createResource<ProjectMembership>({
      resourceType: 'ProjectMembership',
      project: { reference: `Project/${projectId}` },
      user: profile as Reference<never>,
      profile: profile as Reference<never>,
      ...(admin && { admin }),
      ...(policy && { accessPolicy: { reference: `AccessPolicy/${policy.id}` } }),
    });
  }

  return {
    name: options.name,
    baseUrl,
    projectId,
    repo,
    clock,
    faults,
    quota,
    requestCounts: wire.counts,
    botRuns: bots.runs,

    async createClient(name, membershipOptions = {}) {
      const secret = randomBytes(32).toString('hex');
      const client = await repo.createResource<ClientApplication>({ resourceType: 'ClientApplication', name, secret });
      const reference = `ClientApplication/${client.id}`;
      const membership = await join({ reference, display: name }, membershipOptions);
      return { id: client.id, secret, reference, membershipId: membership.id };
    },

    async createBot({ name, identifier, code, cronString, timeout, auditEventTrigger, ...membershipOptions }) {
      const data = Buffer.from(code).toString('base64');
      const binary = await repo.createResource({ resourceType: 'Binary', contentType: 'text/javascript', data });
      const bot: Bot = {
        resourceType: 'Bot',
        name,
        runtimeVersion: 'vmcontext',
        executableCode: { contentType: 'text/javascript', url: `Binary/${binary.id}`, title: `${name}.js` },
        ...(identifier && { identifier: [identifier] }),
        ...(cronString && { cronString }),
        ...(timeout && { timeout }),
        ...(auditEventTrigger && { auditEventTrigger }),
      };
      const saved = identifier
        ? (
            await repo.conditionalUpdate(bot, {
              resourceType: 'Bot',
              filters: [{ code: 'identifier', operator: 'eq', value: `${identifier.system ?? ''}|${identifier.value}` }],
            })
          ).resource
        : await repo.createResource(bot);
      if (!callers.membership(`Bot/${saved.id}`)) {
        await join({ reference: `Bot/${saved.id}`, display: name }, membershipOptions);
      }
      return saved;
    },

    subscribe(bot, criteria, { interaction, expression } = {}) {
      const extension: Extension[] = [
        ...(interaction ? [{ url: `${EXTENSIONS}/subscription-supported-interaction`, valueCode: interaction }] : []),
        ...(expression ? [{ url: `${EXTENSIONS}/fhir-path-criteria-expression`, valueString: expression }] : []),
      ];
      return repo.createResource<Subscription>({
        resourceType: 'Subscription',
        status: 'active',
        reason: bot.name ?? bot.id,
        criteria,
        channel: { type: 'rest-hook', endpoint: `Bot/${bot.id}` },
        ...(extension.length > 0 && { extension }),
      });
    },

    async setSecrets(secrets) {
      const project = await repo.readResource<Project>('Project', projectId);
      const secret = Object.entries(secrets).map(([name, valueString]) => ({ name, valueString }));
      await repo.updateResource<Project>({ ...project, secret });
    },

    onRequest: (observer) => wire.listen(observer),
    onBotRun: (observer) => bots.onRun(observer),
    idle: ({ timeoutMs } = {}) => work.none(timeoutMs, () => [...bots.running.values()].join(', ')),

    async close() {
      forgetCron();
      await new Promise<void>((resolve) => {
        listener.close(() => resolve());
        listener.closeAllConnections();
      });
    },
  };
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function newTrace(message: IncomingMessage): { requestId: string; traceId: string } {
  const given = message.headers['x-trace-id'];
  const isId = typeof given === 'string' && /^[A-Za-z0-9.-]{1,64}$/.test(given);
  return { requestId: randomUUID(), traceId: isId ? given : randomUUID() };
}

/** The project has an id before it exists, because everything in it, and it itself, is stamped with that id. */
async function createProject(backend: Backend, operator: Caller, options: SandboxServerOptions): Promise<void> {
  const project: WithId<Project> = {
    resourceType: 'Project',
    id: backend.projectId,
    name: options.name,
    strictMode: true,
    features: options.features ?? ['bots', 'cron', 'transaction-bundles'],
  };
  await new StrictRepository(backend, operator).createResource(project, { assignedId: true });
}
