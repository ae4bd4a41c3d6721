/** A proxy between the bots and a FHIR server: it sees every byte, and lets happen to requests what can happen to them. */
import { createServer, request as send } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SandboxClock } from './clock.ts';
import { MISHAPS } from './mishap.ts';
import type { Canned, Mishap, MishapName } from './mishap.ts';
import { WorkCount } from './work-count.ts';

/** Longer than any bot waits for one answer. */
const STALL_MS = 45_000;

/** A request as it came to the proxy, and what became of it. */
export interface Passed {
  readonly at: number;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly mishap: MishapName | undefined;
  /** The status that the server answered, if it was asked. */
  status: number | undefined;
}

/** What a mishap waits for. */
export interface Occasion {
  /** How many requests that match pass unharmed before it. */
  readonly after?: number;
  /** How many it hits. Default 1. */
  readonly times?: number;
  /** Matched against `METHOD path?query`. Default: any. */
  readonly request?: RegExp;
}

export interface Proxy {
  /** Ends with a slash. */
  readonly baseUrl: string;
  /** Plans a mishap for requests to come. */
  befall(mishap: MishapName, occasion?: Occasion): void;
  /** Decides the fate of each request that no plan is for. */
  fate: (request: Passed) => MishapName | undefined;
  /** Calls `listener` with each request before it is forwarded; the returned function stops that. */
  onRequest(listener: (request: Passed) => void): () => void;
  /** Resolves when no request is under way, delayed ones included. */
  idle(): Promise<void>;
  /** No mishap any more. What is being delayed goes on. */
  clear(): void;
  close(): Promise<void>;
}

/**
 * Listens on loopback and forwards to a server.
 *
 * @param target - The base URL of the server.
 * @param clock - Whose time delays take.
 * @returns The proxy.
 */
export async function createProxy(target: string, clock: SandboxClock): Promise<Proxy> {
  const listeners = new Set<(request: Passed) => void>();
  let plans: { readonly name: MishapName; readonly request: RegExp | undefined; skip: number; left: number }[] = [];
  const fateOf = (method: string, url: string): MishapName | undefined => {
    const plan = plans.find(({ request, left }) => left > 0 && (request?.test(`${method} ${url}`) ?? true));
    if (!plan || plan.skip-- > 0) {
      return undefined;
    }
    plan.left--;
    return plan.name;
  };

  const underWay = new WorkCount();
  const server = createServer((message, response) => {
    const done = underWay.begin();
    handle(message, response)
      .catch(() => message.socket.destroy())
      .finally(done);
  });
  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    const { method = 'GET', url = '/', headers } = message;
    const base = { at: clock.now(), method, url, headers, body: bytes.toString('utf8'), status: undefined };
    const name = fateOf(method, url) ?? proxy.fate({ ...base, mishap: undefined });
    const passed: Passed = { ...base, mishap: name };
    listeners.forEach((listener) => listener(passed));
    await carryOut(name ? MISHAPS[name] : SAFE, passed, bytes, response);
  }
  async function carryOut(mishap: Mishap, passed: Passed, bytes: Buffer, response: ServerResponse): Promise<void> {
    if (mishap.delay === 'request') {
      await clock.stall(STALL_MS);
    }
    const answer = mishap.isForwarded ? await forward(target, passed, bytes) : undefined;
    passed.status = answer?.status;
    if (mishap.delay === 'answer') {
      await clock.stall(STALL_MS);
    }
    reply(response, mishap.answer, answer);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const proxy: Proxy = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    befall(name, { request, after = 0, times = 1 } = {}) {
      plans.push({ name, request, skip: after, left: times });
    },
    fate: () => undefined,
    idle: () => underWay.none(),
    onRequest(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    clear() {
      plans = [];
      proxy.fate = () => undefined;
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
  return proxy;
}

const SAFE: Mishap = { isForwarded: true, answer: 'whole' };

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly bytes: Buffer;
}

/** Sends the request on; undefined when the server does not answer. */
function forward(target: string, { method, url, headers }: Passed, bytes: Buffer): Promise<Answer | undefined> {
  const { host: _host, connection: _connection, ...others } = headers;
  return new Promise((resolve) => {
    const outgoing = send(new URL(url, target), { method, headers: others }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => resolve(undefined));
      answer.on('end', () => {
        const { connection: _hop, 'keep-alive': _keep, 'transfer-encoding': _coding, ...end } = answer.headers;
        resolve({ status: answer.statusCode ?? 502, headers: end, bytes: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', () => resolve(undefined));
    outgoing.end(bytes);
  });
}

function reply(response: ServerResponse, how: Mishap['answer'], answer: Answer | undefined): void {
  if (typeof how === 'object') {
    const { status, headers, body }: Canned = how;
    response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  } else if (how === 'cut' || !answer) {
    response.socket?.destroy();
  } else {
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.bytes.length });
    if (how === 'whole') {
      response.end(answer.bytes);
    } else {
      response.write(answer.bytes.subarray(0, answer.bytes.length >> 1), () => response.socket?.destroy());
    }
  }
}
