import { conflict } from '@medplum/core';
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

  /** Makes the next requests that match fail. Plans are tried in the order in which they were made. */
  failNext(matcher: RequestMatcher, failure: Failure): void {
    this.#planned.push({ matcher, failure, left: failure.times ?? 1 });
  }

  /** Drops the next Subscription event that matches: the change is there, and no bot hears of it. */
  loseSubscriptionEvents(matches: (change: Change) => boolean = () => true, times = 1): void {
    let left = times;
    this.#losing.push((change) => left > 0 && matches(change) && left-- > 0);
  }

  /** Turns all faults off. */
  clear(): void {
    this.down = undefined;
    this.delayMs = 0;
    this.conflictRate = 0;
    this.#planned = [];
    this.#losing = [];
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
