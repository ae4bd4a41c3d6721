import type { WithId } from '@medplum/core';
import type { Bot, Project, Reference, Subscription } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { Bots } from './bots.ts';
import type { BotRun } from './bots.ts';
import { systemCaller } from './caller.ts';
import type { Backend } from './caller.ts';
import { Callers } from './callers.ts';
import type { SandboxClock } from './clock.ts';
import { CronBots } from './cron-bots.ts';
import { loadDefinitions } from './definitions.ts';
import { Faults } from './faults.ts';
import { listen } from './listener.ts';
import { Provision } from './provision.ts';
import type { BotDefinition, MembershipOptions, SandboxClient, SubscribeOptions } from './provision.ts';
import { Quota } from './quota.ts';
import { StrictRepository } from './repository.ts';
import { Routes } from './routes.ts';
import { Store } from './store.ts';
import { Subscriptions } from './subscriptions.ts';
import { Tokens } from './tokens.ts';
import { Wire } from './wire.ts';
import type { WireEntry } from './wire.ts';
import { WorkCount } from './work-count.ts';

export type { BotDefinition, MembershipOptions, SandboxClient, SubscribeOptions } from './provision.ts';
export type { BotRun } from './bots.ts';
export type { WireEntry } from './wire.ts';

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

/** One FHIR server in this process, on loopback HTTP. */
export interface SandboxServer {
  readonly name: string;
  /** Ends with a slash. */
  readonly baseUrl: string;
  readonly projectId: string;
  /** The operator's own access: same rules, no AuditEvents, no quota, no policy. What it returns are copies. */
  readonly repo: StrictRepository;
  /** What lies on the disk: every version of everything, also what no request can see. Only to be looked at. */
  readonly store: Store;
  readonly clock: SandboxClock;
  readonly faults: Faults;
  readonly quota: Quota;
  /** Requests by `METHOD interaction`. */
  readonly requestCounts: ReadonlyMap<string, number>;
  readonly botRuns: readonly BotRun[];
  /** The names of the bots that are running now. */
  readonly running: readonly string[];
  createClient(name: string, options?: MembershipOptions): Promise<SandboxClient>;
  /** Makes a membership for a person, and signs them in: what `Authorization` has to say. */
  createUser(profile: Reference, options?: MembershipOptions): Promise<string>;
  createBot(definition: BotDefinition): Promise<WithId<Bot>>;
  subscribe(bot: WithId<Bot>, criteria: string, options?: SubscribeOptions): Promise<WithId<Subscription>>;
  setSecrets(secrets: Readonly<Record<string, string>>): Promise<void>;
  /** Ends all access tokens before their time. */
  revokeTokens(): void;
  /** Makes bots find this server at another URL, that of a proxy. Ends with a slash. */
  showBots(baseUrl: string): void;
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

/** Starts a server with an empty project. Resolves when it listens. */
export async function startServer(options: SandboxServerOptions): Promise<SandboxServer> {
  loadDefinitions();
  const { name, clock, tokenSeconds } = options;
  const listener = await listen(options.port ?? 0);
  const store = new Store();
  const quota = new Quota(clock, options.quotaLimit);
  const tokens = new Tokens(clock);
  const callers = new Callers(store, tokens);
  const work = new WorkCount();
  const wire = new Wire();
  const faults = new Faults();
  const projectId = randomUUID();
  const backend: Backend = {
    store,
    clock,
    quota,
    projectId,
    baseUrl: listener.baseUrl,
    saveAuditEvents: options.saveAuditEvents ?? true,
    onCommit(changes, trace) {
      for (const change of changes) {
        cron.changed(change);
        subscriptions.changed(change, trace);
      }
    },
  };
  const bots = new Bots(backend, callers, tokens, faults);
  const subscriptions = new Subscriptions(store, bots, work, faults, clock);
  const cron = new CronBots(store, bots, clock, work);
  const forgetCron = clock.add(cron);

  const trace = { requestId: randomUUID(), traceId: randomUUID() };
  const operator = { reference: `ClientApplication/${randomUUID()}`, display: `${name} operator` };
  const repo = new StrictRepository(backend, systemCaller(operator, trace));
  await repo.createResource<Project>(
    {
      resourceType: 'Project',
      id: projectId,
      name,
      strictMode: true,
      features: options.features ?? ['bots', 'cron', 'transaction-bundles'],
    },
    { assignedId: true }
  );
  const provision = new Provision(repo, projectId);
  listener.serve(new Routes({ backend, callers, tokens, bots, tokenSeconds }), faults, wire, clock);

  return {
    name,
    baseUrl: listener.baseUrl,
    projectId,
    repo,
    store,
    clock,
    faults,
    quota,
    requestCounts: wire.counts,
    botRuns: bots.runs,
    get running() {
      return [...bots.running.values()];
    },
    createClient: (clientName, membership) => provision.createClient(clientName, membership),
    async createUser(profile, membership) {
      await provision.createUser(profile, membership);
      return `Bearer ${tokens.issue(profile.reference ?? '', listener.baseUrl, tokenSeconds ?? 3600)}`;
    },
    createBot: (definition) => provision.createBot(definition),
    subscribe: (bot, criteria, filter) => provision.subscribe(bot, criteria, filter),
    setSecrets: (secrets) => provision.setSecrets(secrets),
    revokeTokens: () => tokens.revokeAll(),
    showBots(baseUrl) {
      bots.baseUrl = baseUrl;
    },
    onRequest: (observer) => wire.listen(observer),
    onBotRun: (observer) => bots.onRun(observer),
    idle: ({ timeoutMs } = {}) => work.none(timeoutMs, () => [...bots.running.values()].join(', ')),
    close() {
      forgetCron();
      return listener.close();
    },
  };
}
