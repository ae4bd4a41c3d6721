import type { SandboxRequest, SandboxResponse } from './http.ts';

/** One HTTP exchange as it was on the wire. Everything that left the source for the replica is in the replica's log. */
export interface WireEntry {
  readonly at: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Undefined if the connection was cut. */
  readonly status: number | undefined;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseBody: string;
  readonly durationMs: number;
  /** `read`, `create`, `search-type`, `transaction`, `$execute`, `token` …: what the request asked for. */
  readonly interaction: string;
  /** Reference of who called, if it was known. */
  readonly caller: string | undefined;
}

/** What is known of an exchange when it ends. */
export interface Exchange {
  readonly at: string;
  readonly startedMs: number;
  readonly request: SandboxRequest;
  readonly response: SandboxResponse | undefined;
  readonly interaction: string;
  readonly caller: string | undefined;
}

/** Counts the exchanges of one server and tells those who listen. */
export class Wire {
  /** Requests by `METHOD interaction`. */
  readonly counts = new Map<string, number>();
  readonly #listeners = new Set<(entry: WireEntry) => void>();

  /** Calls `listener` after each exchange; the returned function stops that. */
  listen(listener: (entry: WireEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  record({ at, startedMs, request, response, interaction, caller }: Exchange): void {
    const key = `${request.method} ${interaction}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    if (this.#listeners.size === 0) {
      return;
    }
    const entry: WireEntry = {
      at,
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: request.bytes.toString('utf8'),
      status: response?.status,
      responseHeaders: response?.headers ?? {},
      responseBody: response ? Buffer.from(response.body as string).toString('utf8') : '',
      durationMs: performance.now() - startedMs,
      interaction,
      caller,
    };
    for (const listener of this.#listeners) {
      listener(entry);
    }
  }
}
