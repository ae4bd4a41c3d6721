/** One HTTP exchange with the replica, within a deadline. Nothing of a request or answer is ever put into an error. */
import { Fault } from '../observability/fault.ts';
import type { Clock } from '../ports.ts';
import type { Answer } from './outcome.ts';
import { within } from './within.io.ts';

/** A request, complete but for the credentials. */
export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends requests. */
export type Send = (exchange: Exchange, timeoutMs: number) => Promise<Answer>;

/**
 * Sends over the `fetch` that the platform gives. Redirects are refused: they would carry data and token elsewhere.
 *
 * @param clock - The clock.
 * @returns The sender. It throws Fault `replica-unavailable` when there is no answer in time.
 */
export function sender(clock: Clock): Send {
  return async ({ method, url, headers, body }, timeoutMs) => {
    const exchange = async (): Promise<Answer> => {
      const response = await fetch(url, {
        method,
        headers: { ...headers },
        redirect: 'error',
        ...(body !== undefined && { body }),
      });
      return {
        status: response.status,
        retryAfter: response.headers.get('Retry-After'),
        rateLimit: response.headers.get('RateLimit'),
        body: await response.text(),
      };
    };
    try {
      return await within(clock, timeoutMs, exchange(), () => new Fault('replica-unavailable', ['no answer in time']));
    } catch {
      throw new Fault('replica-unavailable', ['no answer']);
    }
  };
}
