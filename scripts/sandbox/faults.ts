import { conflict } from '@medplum/core';
import type { Death } from './bot-host.ts';
import { sendJson, sendOutcome } from './http.ts';
import type { SandboxRequest, SandboxResponse } from './http.ts';
import type { Change } from './store.ts';

/** Which requests a fault hits. Every condition that is given must hold. */
export interface RequestMatcher {
  readonly method?: string;
  /** Matched against path and query. */
  readonly url?: RegExp | string;
  readonly where?: (request: SandboxRequest) => boolean;
}

/** What happens instead of an answer. */
export interface Failure {
  /** Absent: the connection is cut without a response. */
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** How many requests are hit. Default 1. */
  readonly times?: number;
  /** True: the request is processed and only its answer is lost, as when a server dies between commit and response. */
  readonly afterwards?: boolean;
}

/** A failure that was chosen for a request. `response` undefined cuts the connection. */
export interface Strike {
  readonly response: SandboxResponse | undefined;
  readonly afterwards: boolean;
}

/** How a Subscription event reaches its bot. */
export interface Delivery {
  readonly copies: number;
  readonly delayMs: number;
}

const AT_ONCE: Delivery = { copies: 1, delayMs: 0 };

/** The misfortunes of one server, all off until a test or the demo turns them on. */
export class Faults {
  /** `cut`: connections are reset. `unavailable`: everything is answered 503. */
  down: 'cut' | 'unavailable' | undefined;
  /** Added to every request, in real milliseconds. */
  delayMs = 0;
  /** The share of FHIR writes that is answered 409 with PostgreSQL's code 40001 (platform.md §11.2). */
  conflictRate = 0;
  /** Where `conflictRate` gets its chance from; a test passes a sequence. */
  random: () => number = Math.random;
  #planned: { matcher: RequestMatcher; failure: Failure; left: number }[] = [];
  #losing: ((change: Change) => boolean)[] = [];
  #deliveries: { readonly delivery: Delivery; left: number }[] = [];
  #deaths: { readonly bot: string | undefined; readonly death: Death }[] = [];

  /** Makes the next requests that match fail. Plans are tried in the order in which they were made. */
  failNext(matcher: RequestMatcher, failure: Failure): void {
    this.#planned.push({ matcher, failure, left: failure.times ?? 1 });
  }

  /** Drops the next Subscription event that matches: the change is there, and no bot hears of it. */
  loseSubscriptionEvents(matches: (change: Change) => boolean = () => true, times = 1): void {
    let left = times;
    this.#losing.push((change) => left > 0 && matches(change) && left-- > 0);
  }

  /** Delivers the next Subscription events late, or more than once. */
  deliverNext(delivery: Delivery, times = 1): void {
    this.#deliveries.push({ delivery, left: times });
  }

  /** Kills the next run of a bot, or of any, between two of its requests. */
  killNext(death: Death, bot?: string): void {
    this.#deaths.push({ bot, death });
  }

  /** Turns all faults off. */
  clear(): void {
    this.down = undefined;
    this.delayMs = 0;
    this.conflictRate = 0;
    this.#planned = [];
    this.#losing = [];
    this.#deliveries = [];
    this.#deaths = [];
  }

  /** Decides the fate of a request, once. */
  strike(request: SandboxRequest): Strike | undefined {
    if (this.down) {
      return {
        response: this.down === 'cut' ? undefined : sendJson(503, { msg: 'Service Unavailable' }),
        afterwards: false,
      };
    }
    const plan = this.#planned.find(({ matcher, left }) => left > 0 && matches(matcher, request));
    if (plan) {
      plan.left--;
      const { status, body, headers, afterwards } = plan.failure;
      const response = status === undefined ? undefined : respond(status, body, headers);
      return { response, afterwards: afterwards ?? false };
    }
    if (this.conflictRate > 0 && isWrite(request) && this.random() < this.conflictRate) {
      return {
        response: sendOutcome(
          conflict('could not serialize access due to read/write dependencies among transactions', '40001')
        ),
        afterwards: false,
      };
    }
    return undefined;
  }

  /** How a Subscription event is delivered. */
  deliveryOf(): Delivery {
    const planned = this.#deliveries.find(({ left }) => left > 0);
    if (!planned) {
      return AT_ONCE;
    }
    planned.left--;
    return planned.delivery;
  }

  /** When a run that begins now is killed. */
  deathOf(bot: string | undefined): Death | undefined {
    const index = this.#deaths.findIndex((planned) => planned.bot === undefined || planned.bot === bot);
    return index < 0 ? undefined : this.#deaths.splice(index, 1)[0]?.death;
  }

  /** Whether a Subscription event is lost. */
  loses(change: Change): boolean {
    return this.#losing.some((lose) => lose(change));
  }
}

function matches({ method, url, where }: RequestMatcher, request: SandboxRequest): boolean {
  return (
    (method === undefined || method === request.method) &&
    (url === undefined || (typeof url === 'string' ? request.url.includes(url) : url.test(request.url))) &&
    (where === undefined || where(request))
  );
}

function isWrite({ method, path }: SandboxRequest): boolean {
  return path.startsWith('/fhir/R4') && method !== 'GET' && !/_search$|(\$|%24)/.test(path);
}

function respond(status: number, body: unknown, headers: Record<string, string> = {}): SandboxResponse {
  const response = sendJson(status, body ?? {});
  return { ...response, headers: { ...response.headers, ...headers } };
}
