import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Trace } from './audit.ts';
import type { SandboxClock } from './clock.ts';
import type { Faults } from './faults.ts';
import { readRequest, writeResponse } from './http.ts';
import type { Routes } from './routes.ts';
import type { Wire } from './wire.ts';

/** A socket on loopback that answers nothing until it is given routes. */
export interface Listener {
  /** Ends with a slash. */
  readonly baseUrl: string;
  serve(routes: Routes, faults: Faults, wire: Wire, clock: SandboxClock): void;
  /** Stops listening and cuts open connections. */
  close(): Promise<void>;
}

/**
 * Listens on 127.0.0.1 and nowhere else.
 * @param port - 0 for any free port.
 * @throws Error if the port is taken.
 */
export async function listen(port: number): Promise<Listener> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    serve(routes, faults, wire, clock) {
      server.on('request', (message: IncomingMessage, response: ServerResponse) => {
        handle(message, response, { routes, faults, wire, clock }).catch(() => message.socket.destroy());
      });
    },
    close: () => close(server),
  };
}

interface Handling {
  readonly routes: Routes;
  readonly faults: Faults;
  readonly wire: Wire;
  readonly clock: SandboxClock;
}

async function handle(message: IncomingMessage, response: ServerResponse, handling: Handling): Promise<void> {
  const { routes, faults, wire, clock } = handling;
  const startedMs = performance.now();
  const at = clock.iso();
  const request = await readRequest(message, traceOf(message));
  if (faults.delayMs > 0) {
    await sleep(faults.delayMs);
  }
  const strike = faults.strike(request);
  const routed = strike && !strike.afterwards ? undefined : await routes.answer(request);
  const answer = strike ? strike.response : routed?.response;
  const { interaction = 'fault', caller } = routed ?? {};
  wire.record({ at, startedMs, request, response: answer, interaction, caller });
  if (answer) {
    writeResponse(response, answer);
  } else {
    message.socket.destroy();
  }
}

/** A caller may name the trace; a name that is no FHIR id could not be written into AuditEvents. */
function traceOf(message: IncomingMessage): Trace {
  const given = message.headers['x-trace-id'];
  const isId = typeof given === 'string' && /^[A-Za-z0-9.-]{1,64}$/.test(given);
  return { requestId: randomUUID(), traceId: isId ? given : randomUUID() };
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
