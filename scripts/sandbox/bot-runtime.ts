import { ContentType, Hl7Message, normalizeErrorString, normalizeOperationOutcome } from '@medplum/core';
import type { ProjectSetting, Reference } from '@medplum/fhirtypes';
import { createRequire, isBuiltin } from 'node:module';
import vm from 'node:vm';
import { BOT_LAYER } from '../bot-layer.ts';
import type { BotHost } from './bot-host.ts';

/** What `event` is inside the vm context; the names are Medplum's (bots/vmcontext.ts of 5.0.10). */
export interface BotContextEvent {
  readonly bot: Reference;
  readonly baseUrl: string;
  readonly accessToken: string;
  readonly requester: Reference | undefined;
  readonly input: unknown;
  readonly contentType: string | undefined;
  readonly secrets: Record<string, ProjectSetting>;
  readonly traceId: string;
  readonly headers: Record<string, string | string[] | undefined> | undefined;
  readonly defaultHeaders?: Record<string, string>;
}

/** How a run ended. */
export interface BotResult {
  readonly success: boolean;
  /** Everything it printed, and after a failure the error. */
  readonly output: string;
  readonly returnValue: unknown;
}

const DEFAULT_TIMEOUT_MS = 10_000;

const hostRequire = createRequire(import.meta.url);

/** @throws Error with code MODULE_NOT_FOUND for what a bot would not find either. */
function botRequire(name: string, modules: BotHost['modules']): unknown {
  const known =
    isBuiltin(name) || BOT_LAYER.some((dependency) => name === dependency || name.startsWith(`${dependency}/`));
  if (!known) {
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  }
  return modules[name] ?? hostRequire(name);
}

/** The console of a bot: `log` and nothing else, and what it prints is kept. */
class BotConsole {
  readonly #lines: string[] = [];

  log(...values: unknown[]): void {
    this.#lines.push(values.join(' '));
  }

  toString(): string {
    return this.#lines.join('\n');
  }
}

/**
 * Medplum's wrapper in our words, with its traps: the code is pasted in front of a parenthesis, so it must end with a
 * semicolon; the handler is `exports.handler`; and the vm timeout ends with the first await (platform.md §3.1, 3.7).
 */
function wrap(code: string): string {
  return `
  const exports = {};
  const module = {exports};

  ${code}

  (async () => {
    const { bot, baseUrl, accessToken, requester, contentType, secrets, traceId, headers, defaultHeaders } = event;
    const medplum = new MedplumClient({
      baseUrl,
      defaultHeaders,
      fetch: function (url, options = {}) {
        options.headers = Object.assign(options.headers || {}, { 'X-Trace-Id': traceId, traceparent: traceId });
        return fetch(url, options);
      },
    });
    medplum.setAccessToken(accessToken);
    const isHl7 = contentType === ContentType.HL7_V2;
    try {
      const input = isHl7 && event.input ? Hl7Message.parse(event.input) : event.input;
      const result = await exports.handler(medplum, { bot, requester, input, contentType, secrets, traceId, headers });
      return isHl7 && result ? result.toString() : result;
    } catch (err) {
      if (err instanceof Error) {
        console.log('Unhandled error: ' + err.message + '\\n' + err.stack);
      } else if (typeof err === 'object') {
        console.log('Unhandled error: ' + JSON.stringify(err, undefined, 2));
      } else {
        console.log('Unhandled error: ' + err);
      }
      throw err;
    }
  })();
  `;
}

/**
 * Makes the realm tell the sandbox's time. On a real server the bot and the database share one clock; when the sandbox moves
 * its own, a bot that asks `Date` must see the same, or leases and schedules would contradict `lastUpdated`.
 */
const USE_CLOCK = new vm.Script(`(now) => {
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, key) => (key === 'now' ? now : target[key]),
  });
  RealDate.prototype.constructor = globalThis.Date;
}`);

const scripts = new Map<string, vm.Script>();
const MAX_SCRIPTS = 200;

function compile(code: string): vm.Script {
  let script = scripts.get(code);
  if (!script) {
    if (scripts.size >= MAX_SCRIPTS) {
      scripts.clear();
    }
    script = new vm.Script(wrap(code));
    scripts.set(code, script);
  }
  return script;
}

/**
 * Runs a built bundle as Medplum's vm context does: a realm of its own with exactly these globals. Never throws.
 * @param now - The sandbox's time.
 * @param host - The network and the passing of time.
 * @param timeoutSeconds - `Bot.timeout`; stops synchronous code before the first await, nothing else.
 */
export async function runInVmContext(
  code: string,
  event: BotContextEvent,
  now: () => number,
  host: BotHost,
  timeoutSeconds?: number
): Promise<BotResult> {
  const console = new BotConsole();
  const globals = {
    console,
    fetch: host.fetch,
    require: (name: string) => botRequire(name, host.modules),
    ContentType,
    Hl7Message,
    MedplumClient: host.MedplumClient,
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
    event,
  };
  try {
    const context = vm.createContext(globals);
    (USE_CLOCK.runInContext(context) as (now: () => number) => void)(now);
    const timeout = timeoutSeconds ? timeoutSeconds * 1000 : DEFAULT_TIMEOUT_MS;
    const run = compile(code).runInContext(context, { timeout }) as Promise<unknown>;
    const killed = host.death.then((): BotResult => ({ success: false, output: 'Killed', returnValue: undefined }));
    const ended = run.then((returnValue) => ({ success: true, output: console.toString(), returnValue }));
    return await Promise.race([ended, killed]);
  } catch (error) {
    console.log('Error', normalizeErrorString(error));
    return { success: false, output: console.toString(), returnValue: normalizeOperationOutcome(error) };
  }
}
