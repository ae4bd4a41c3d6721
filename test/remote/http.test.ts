/** The sender against a server that misbehaves, over both kinds of `fetch` that a bot may be given. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/observability/clock.io.ts';
import { sender } from '../../src/remote/http.io.ts';
import { judge } from '../../src/remote/outcome.ts';
import type { Answer } from '../../src/remote/outcome.ts';

const nodeFetch = createRequire(import.meta.url)('node-fetch') as typeof fetch;

let server: Server;
let origin: string;
let reached: string[];
let behave: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  reached = [];
  server = createServer((request, response) => {
    reached.push(`${request.url} ${request.headers.authorization ?? ''}`);
    behave(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  vi.unstubAllGlobals();
  server.closeAllConnections();
  server.close();
});

const get = (url = `${origin}/fhir`, timeoutMs = 5000): Promise<Answer> =>
  sender(systemClock, [origin])({ method: 'GET', url, headers: { Authorization: 'Bearer t' } }, timeoutMs);

describe.each([
  ['the vm context', nodeFetch],
  ['Lambda', globalThis.fetch],
])('with the fetch of %s', (_name, given) => {
  beforeEach(() => {
    vi.stubGlobal('fetch', given);
  });

  test('a compressed answer is read', async () => {
    behave = (request, response) => {
      expect(request.headers['accept-encoding']).toContain('gzip');
      response.writeHead(200, { 'content-encoding': 'gzip', ratelimit: '"a";r=1;t=2' });
      response.end(gzipSync('{"resourceType":"Patient","x":"é"}'));
    };
    expect(await get()).toEqual({
      status: 200,
      retryAfter: null,
      rateLimit: '"a";r=1;t=2',
      location: null,
      progress: null,
      body: '{"resourceType":"Patient","x":"é"}',
    });
  });

  test('a redirect is not followed, and nothing of the request goes there', async () => {
    behave = (_request, response) => {
      response.writeHead(307, { location: `${origin}/elsewhere` }).end();
    };
    const answer = await get();
    expect(judge(answer, 0)).toEqual({ kind: 'rejected', status: 307 });
    expect(reached).toEqual(['/fhir Bearer t']);
  });

  test('nothing is sent to a place that is not the replica', async () => {
    await expect(get(origin.replace('127.0.0.1', 'localhost'))).rejects.toMatchObject({ code: 'replica-rejected' });
    expect(reached).toEqual([]);
  });

  test('an answer that is cut off is none', async () => {
    behave = (_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"resourceType":"Bundle"', () => response.destroy());
    };
    await expect(get()).rejects.toMatchObject({ code: 'replica-unavailable' });
  });

  test('an answer that never ends is left at the limit', async () => {
    behave = (_request, response) => {
      const block = Buffer.alloc(1_000_000, ' ');
      const more = (): void => {
        while (!response.destroyed && response.write(block));
        response.once('drain', more);
      };
      more();
    };
    await expect(get(`${origin}/fhir`, 60_000)).rejects.toMatchObject({
      code: 'replica-rejected',
      details: ['the answer is too large'],
    });
  });

  test('a small body that unpacks to a huge one is left at the limit as well', async () => {
    const bomb = gzipSync(Buffer.alloc(40_000_000, ' '));
    behave = (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    };
    // Were it read, the difference of 40 MB would have to be printed.
    const read = get(`${origin}/fhir`, 60_000).then(({ status }) => status);
    await expect(read).rejects.toMatchObject({ code: 'replica-rejected' });
  });

  test('a size that is announced is believed', async () => {
    behave = (_request, response) => {
      response.writeHead(200, { 'content-length': '33000000' }).flushHeaders();
    };
    await expect(get()).rejects.toMatchObject({ code: 'replica-rejected' });
  });

  test('a server that says nothing is left when the time is up', async () => {
    behave = () => undefined;
    await expect(get(`${origin}/fhir`, 50)).rejects.toMatchObject({ code: 'replica-unavailable' });
  });

  test('so is one that begins and does not go on', async () => {
    behave = (_request, response) => {
      response.writeHead(200).write('{"resourceType":');
    };
    await expect(get(`${origin}/fhir`, 200)).rejects.toMatchObject({ code: 'replica-unavailable' });
  });
});
