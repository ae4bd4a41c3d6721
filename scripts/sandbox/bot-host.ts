/** What a bot gets from its process: the network and the passing of time, both of which can end at any moment. */
import { MedplumClient } from '@medplum/core';
import { createRequire } from 'node:module';
import type { SandboxClock } from './clock.ts';

/** Kills a run at one of its requests. */
export interface Death {
  /** How many requests are answered before it. */
  readonly after: number;
  /** Whether the request at which the run dies still reaches the server. */
  readonly isSent: boolean;
}

/** What a bot calls `fetch`: node-fetch 2, whose bodies are Node's own streams. */
export type Fetch = (url: string, options?: Readonly<Record<string, unknown>>) => Promise<FetchResponse>;

interface FetchResponse {
  readonly body: NodeJS.ReadableStream;
}

export interface BotHost {
  readonly fetch: Fetch;
  readonly MedplumClient: typeof MedplumClient;
  /** Modules that are other than Node's own. */
  readonly modules: Readonly<Record<string, unknown>>;
  /** Resolves when the run has been killed; it has no further effect then. */
  readonly death: Promise<void>;
}

const nodeFetch = createRequire(import.meta.url)('node-fetch') as Fetch;

/** A body that nobody reads does not hold the clock for longer, in real milliseconds. */
const UNREAD_MS = 50;

/**
 * @param clock - The sandbox's clock.
 * @param death - When the run is killed, if it is.
 * @returns What one run gets.
 */
export function hostOf(clock: SandboxClock, death: Death | undefined): BotHost {
  const killed = Promise.withResolvers<void>();
  let requests = 0;
  let isDead = false;
  const exchange = clock.lapse ? holding(clock.lapse) : nodeFetch;
  const die = (): Promise<never> => {
    isDead = true;
    killed.resolve();
    // What is left of the run waits for ever, and is forgotten.
    return new Promise<never>(() => undefined);
  };
  const mortal: Fetch = async (url, options) => {
    requests++;
    const isLast = death !== undefined && requests > death.after;
    if (isDead || (isLast && !death.isSent)) {
      return die();
    }
    const response = await exchange(url, options);
    return isLast ? die() : response;
  };
  return {
    fetch: mortal,
    MedplumClient: clock.lapse ? HastyClient : MedplumClient,
    modules: clock.lapse ? { 'node:timers/promises': { setTimeout: (ms: number) => clock.sleep(ms) } } : {},
    death: killed.promise,
  };
}

/** The client's own pauses between tries are real time, which a lapsing clock does not see. */
class HastyClient extends MedplumClient {
  constructor(...options: ConstructorParameters<typeof MedplumClient>) {
    super(...options);
    Object.assign(this, { getRetryDelay: () => 0 });
  }
}

/**
 * Holds the clock from the request to the end of its answer. `timeout` is dropped: it is real time, and a caller who lets go of a
 * request that is stalled leaves a clock that is held by nobody and stalled by one.
 */
function holding(lapse: NonNullable<SandboxClock['lapse']>): Fetch {
  return async (url, { timeout: _real, ...options } = {}) => {
    const done = lapse.busy(`${(options['method'] as string | undefined) ?? 'GET'} ${url}`);
    try {
      const response = await nodeFetch(url, options);
      response.body.once('end', done).once('error', done).once('close', done);
      setTimeout(done, UNREAD_MS).unref();
      return response;
    } catch (error) {
      done();
      throw error;
    }
  };
}
