/** The proxy does to a request what the mishap says, and to no other. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { hostOf } from '../../scripts/sandbox/bot-host.ts';
import { createClock } from '../../scripts/sandbox/clock.ts';
import { MISHAPS } from '../../scripts/sandbox/mishap.ts';
import type { MishapName } from '../../scripts/sandbox/mishap.ts';
import { createProxy } from '../../scripts/sandbox/proxy.ts';
import type { Proxy } from '../../scripts/sandbox/proxy.ts';

let server: Server;
let proxy: Proxy;
let reached: string[];
const clock = createClock(undefined, true);

beforeAll(async () => {
  server = createServer((request, response) => {
    reached.push(`${request.method} ${request.url}`);
    response.writeHead(201, { 'Content-Type': 'application/fhir+json', 'Content-Length': 16 }).end('{"written":true}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await createProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, clock);
});

beforeEach(() => {
  reached = [];
  proxy.clear();
});

afterAll(async () => {
  await proxy.close();
  await new Promise((resolve) => server.close(resolve));
});

/** Status and body, or `cut`. */
async function put(): Promise<string> {
  const held = clock.lapse?.busy();
  try {
    const answer = await fetch(`${proxy.baseUrl}fhir/R4/Patient`, { method: 'PUT', body: '{}' });
    return `${answer.status} ${(await answer.text()).slice(0, 20)}`;
  } catch {
    return 'cut';
  } finally {
    held?.();
  }
}

const WRITTEN = '201 {"written":true}';

test.each<[MishapName, string, boolean]>([
  ['throttled', '429 {"resourceType":"Ope', false],
  ['throttled-seconds', '429 {"resourceType":"Ope', false],
  ['server-error', '500 {"resourceType":"Ope', false],
  ['unavailable', '503 {"resourceType":"Ope', false],
  ['conflict', '409 {"resourceType":"Ope', false],
  ['refused', '400 {"resourceType":"Ope', false],
  ['forbidden', '403 {"resourceType":"Ope', false],
  ['unauthorised', '401 {"resourceType":"Ope', false],
  ['reset-before', 'cut', false],
  ['reset-after', 'cut', true],
  ['slow-request', WRITTEN, true],
  ['slow-answer', WRITTEN, true],
  ['truncated', 'cut', true],
  ['wrong-type', '200 OK', true],
  ['html-page', '200 <!DOCTYPE html><html', false],
  ['html-error', '502 <!DOCTYPE html><html', false],
  ['empty', '200 ', false],
])('%s: the caller sees %s', async (name, seen, isWritten) => {
  const before = clock.now();
  proxy.befall(name, { after: 1, request: /^PUT/ });
  expect(await put()).toBe(WRITTEN);
  expect(await put()).toBe(seen);
  expect(await put()).toBe(WRITTEN);
  expect(reached).toHaveLength(isWritten ? 3 : 2);
  expect(clock.now() - before >= 45_000).toBe(name.startsWith('slow'));
});

test('each mishap is tried here', () => {
  expect(Object.keys(MISHAPS)).toHaveLength(17);
});

test('a bot that has patience for a millisecond does not stop the clock', async () => {
  const { fetch: send } = hostOf(clock, undefined);
  const before = clock.now();
  proxy.befall('slow-request', { times: 2 });
  const asked = [1, 2].map(() => send(`${proxy.baseUrl}fhir/R4/Patient`, { method: 'PUT', body: '{}', timeout: 1 }));
  await Promise.allSettled(asked);
  const needed = clock.lapse?.needed();
  await clock.sleep(1000);
  needed?.();
  await proxy.idle();
  expect(reached).toHaveLength(2);
  expect(clock.now() - before).toBeGreaterThanOrEqual(45_000);
});

test('a clock that stands still says who holds it', () => {
  const done = clock.lapse?.busy('PUT /fhir/R4/Patient');
  expect(clock.lapse?.describe()).toMatch(/^held by PUT \/fhir\/R4\/Patient; 0 of them stalled; needed by 0/);
  done?.();
  expect(clock.lapse?.describe()).toMatch(/^held by nobody/);
});

test('a listener sees every byte, also of what does not arrive', async () => {
  const bodies: string[] = [];
  const stop = proxy.onRequest(({ method, url, body, mishap }) => bodies.push(`${method} ${url} ${body} ${mishap}`));
  proxy.befall('reset-before');
  await put();
  stop();
  expect(bodies).toEqual(['PUT /fhir/R4/Patient {} reset-before']);
});
