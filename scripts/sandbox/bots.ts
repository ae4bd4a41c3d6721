import { createReference } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { Binary, Bot, Project, ProjectSetting, Reference, Subscription } from '@medplum/fhirtypes';
import { executeEvent, redacted } from './audit.ts';
import type { Trace } from './audit.ts';
import { hostOf } from './bot-host.ts';
import { runInVmContext } from './bot-runtime.ts';
import type { BotResult } from './bot-runtime.ts';
import { systemCaller } from './caller.ts';
import type { Backend } from './caller.ts';
import type { Callers } from './callers.ts';
import type { Faults } from './faults.ts';
import { StrictRepository } from './repository.ts';
import type { Tokens } from './tokens.ts';

/** What started a run. */
export type BotTrigger = 'execute' | 'subscription' | 'cron';

/** One run of a bot, as it ended. */
export interface BotRun {
  readonly bot: { readonly id: string; readonly name: string | undefined };
  readonly trigger: BotTrigger;
  /** `Type/id` of the resource that was its input, if it was one. */
  readonly subject: string | undefined;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly success: boolean;
  /** What it printed. */
  readonly output: string;
  readonly returnValue: unknown;
}

/** What a bot is run with. */
export interface BotRequest {
  readonly bot: WithId<Bot>;
  readonly trigger: BotTrigger;
  readonly input: unknown;
  readonly contentType: string | undefined;
  readonly requester?: Reference | undefined;
  readonly headers?: Record<string, string | string[] | undefined> | undefined;
  readonly subscription?: Subscription;
  readonly trace: Trace;
}

const TOKEN_SECONDS = 3_600;

/** Runs the bots of one server, with a token of their own membership, and records what they did. */
export class Bots {
  readonly runs: BotRun[] = [];
  /** The names of the bots that are running now, for the message when somebody waited too long. */
  readonly running = new Map<symbol, string>();
  readonly #listeners = new Set<(run: BotRun) => void>();
  readonly #backend: Backend;
  readonly #callers: Callers;
  readonly #tokens: Tokens;
  readonly #faults: Faults;
  /** Where bots find the server; a proxy may stand in between. Ends with a slash. */
  baseUrl: string;

  constructor(backend: Backend, callers: Callers, tokens: Tokens, faults: Faults) {
    this.#backend = backend;
    this.#callers = callers;
    this.#tokens = tokens;
    this.#faults = faults;
    this.baseUrl = backend.baseUrl;
  }

  /** Calls `listener` after each run; the returned function stops that. */
  onRun(listener: (run: BotRun) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Runs a bot once. Never throws: a failure is a result. */
  async run(request: BotRequest): Promise<BotResult> {
    const { bot, trigger, input } = request;
    const { clock } = this.#backend;
    const startedAt = clock.iso();
    const started = performance.now();
    const running = Symbol(bot.id);
    this.running.set(running, bot.name ?? bot.id);
    const result = await this.#execute(request);
    this.running.delete(running);
    const run: BotRun = {
      bot: { id: bot.id, name: bot.name },
      trigger,
      subject: subjectOf(input),
      startedAt,
      durationMs: performance.now() - started,
      ...result,
    };
    await this.#audit(request, run);
    this.runs.push(run);
    for (const listener of this.#listeners) {
      listener(run);
    }
    return result;
  }

  async #execute({ bot, input, contentType, requester, headers, trace }: BotRequest): Promise<BotResult> {
    const profile = `Bot/${bot.id}`;
    const code = this.#code(bot);
    if (code === undefined) {
      return { success: false, output: 'No executable code', returnValue: undefined };
    }
    if (!this.#callers.membership(profile)) {
      return { success: false, output: 'Could not find project membership for bot', returnValue: undefined };
    }
    const { clock } = this.#backend;
    const event = {
      bot: createReference(bot),
      baseUrl: this.baseUrl,
      accessToken: this.#tokens.issue(profile, this.#backend.baseUrl, TOKEN_SECONDS),
      requester,
      input,
      contentType,
      secrets: this.#secrets(),
      traceId: trace.traceId,
      headers,
    };
    const host = hostOf(clock, this.#faults.deathOf(bot.name));
    const settle = clock.lapse?.needed();
    const result = await runInVmContext(code, event, () => clock.now(), host, bot.timeout);
    settle?.();
    return result;
  }

  #code(bot: Bot): string | undefined {
    const id = bot.executableCode?.url?.split('/')[1] ?? '';
    const binary = this.#backend.store.row('Binary', id)?.current.resource as Binary | undefined;
    return binary && Buffer.from(this.#backend.store.content(binary)).toString('utf8');
  }

  #project(): Project | undefined {
    const { store, projectId } = this.#backend;
    return store.row('Project', projectId)?.current.resource as Project | undefined;
  }

  #secrets(): Record<string, ProjectSetting> {
    const secrets = structuredClone(this.#project()?.secret ?? []);
    return Object.fromEntries(secrets.map((secret) => [secret.name, secret]));
  }

  async #audit({ bot, requester, input, subscription, trace }: BotRequest, run: BotRun): Promise<void> {
    const { clock, saveAuditEvents } = this.#backend;
    const event = executeEvent({ ...run, bot, requester, input, subscription, trace }, clock.iso());
    if (event && saveAuditEvents) {
      await new StrictRepository(this.#backend, systemCaller(createReference(bot), trace)).createResource(
        redacted(event, this.#project())
      );
    }
  }
}

function subjectOf(input: unknown): string | undefined {
  const event = input as { resourceType?: string; id?: string; deletedResource?: unknown } | null | undefined;
  if (event?.deletedResource) {
    return subjectOf(event.deletedResource);
  }
  return event?.resourceType && event.id ? `${event.resourceType}/${event.id}` : undefined;
}
