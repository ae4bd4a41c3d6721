/** One HTTP exchange with the replica, within a deadline. Nothing of a request or answer is ever put into an error. */
import { Buffer } from 'node:buffer';
import { Fault, faultCodeOf } from '../observability/fault.ts';
import type { Clock } from '../ports.ts';
import { legacyLimit } from './limit.ts';
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

/** The largest answers are pages of searches, a megabyte each; more than this is no answer to anything that we ask. */
const MAX_ANSWER_BYTES = 32_000_000;

/**
 * Sends over the `fetch` that the platform gives. A redirect is not followed, since it would carry data and token elsewhere:
 * its answer is judged like any other. Answers may be compressed; what is counted is what comes out.
 *
 * @param clock - The clock.
 * @param origins - The only places that anything is sent to.
 * @returns The sender. It throws Fault `replica-unavailable` when there is no whole answer in time, and `replica-rejected` for
 *   an address elsewhere or an answer that is too large.
 */
export function sender(clock: Clock, origins: readonly string[]): Send {
  return async ({ method, url, headers, body }, timeoutMs) => {
    if (!origins.includes(new URL(url).origin)) {
      throw new Fault('replica-rejected', ['not an address of the replica']);
    }
    const exchange = async (): Promise<Answer> => {
      const response = await fetch(url, {
        method,
        headers: { ...headers },
        redirect: 'manual',
        // Of node-fetch: it lets go of the connection. The built-in fetch does not know it.
        timeout: timeoutMs,
        ...(body !== undefined && { body }),
      });
      const header = (name: string): string | null => response.headers.get(name);
      return {
        status: response.status,
        retryAfter: header('Retry-After'),
        rateLimit: header('RateLimit') ?? legacyLimit(header, clock.now()),
        body: await textOf(response),
        location: header('Content-Location'),
        progress: header('X-Progress'),
      };
    };
    try {
      return await within(clock, timeoutMs, exchange(), () => new Fault('replica-unavailable', ['no answer in time']));
    } catch (error) {
      throw faultCodeOf(error) === 'replica-rejected' ? error : new Fault('replica-unavailable', ['no answer']);
    }
  };
}

/** Reads a body to its end, and not further than its limit: leaving the loop closes the connection. */
async function textOf({ body, headers }: BotResponse): Promise<string> {
  const tooLarge = (): Fault => new Fault('replica-rejected', ['the answer is too large']);
  if (Number(headers.get('Content-Length')) > MAX_ANSWER_BYTES) {
    throw tooLarge();
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body ?? []) {
    bytes += part.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw tooLarge();
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
