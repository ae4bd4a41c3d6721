import { describe, expect, test } from 'vitest';
import { anIdentifier, Api, fetchToken, reason, send } from './api.ts';
import type { Answer, Driver, Returned } from './api.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

export function executeRules(driver: () => Driver, api: () => Api): void {
  const deploy = (body: string): Promise<string> =>
    driver().deployBot(`exports.handler = async (medplum, event) => { ${body} };`);
  const run = async (body: string, input: unknown = {}): Promise<Answer<Returned>> =>
    api().fhir('POST', `Bot/${await deploy(body)}/$execute`, input, JSON_TYPE);

  describe('$execute (platform.md "established earlier", 3.8-3.11; source: operations/execute.ts)', () => {
    test('POST gives the body as input, and what the bot returns is the answer', async () => {
      const { status, body } = await run('return { got: event.input, type: event.contentType };', { a: 1 });
      expect([status, body]).toEqual([200, { got: { a: 1 }, type: 'application/json' }]);
    });

    test('GET gives the query as input', async () => {
      const id = await deploy('return event.input;');
      const { body } = await api().fhir('GET', `Bot/${id}/$execute?a=1&b=2&b=3`);
      expect(body).toEqual({ a: '1', b: ['2', '3'] });
    });

    test('a bot is found by identifier, by GET and by POST', async () => {
      const id = await deploy('return { ran: true };');
      const { system, value, token } = anIdentifier();
      const bot = (await api().fhir('GET', `Bot/${id}`)).body;
      await api().fhir('PUT', `Bot/${id}`, { ...bot, identifier: [{ system, value }] });
      expect((await api().fhir('GET', `Bot/$execute?identifier=${token}`)).body).toEqual({ ran: true });
      expect((await api().fhir('POST', `Bot/$execute?identifier=${token}`, {}, JSON_TYPE)).body).toEqual({ ran: true });
    });

    test('an unknown id or identifier is 404, and neither is 400', async () => {
      expect((await api().fhir('GET', 'Bot/00000000-0000-4000-8000-000000000000/$execute')).status).toBe(404);
      expect((await api().fhir('GET', `Bot/$execute?identifier=${anIdentifier().token}`)).status).toBe(404);
      expect((await api().fhir('GET', 'Bot/$execute')).status).toBe(400);
    });

    test('no return value is an OperationOutcome', async () => {
      const { status, body } = await run('return undefined;');
      expect([status, body.id]).toEqual([200, 'ok']);
    });

    test.each([
      ['"text"', 'text'],
      ['42', 42],
      ['true', true],
      ['[1, 2]', [1, 2]],
    ])('a returned %s is the body', async (code, body) => {
      expect((await run(`return ${code};`)).body).toEqual(body);
    });

    test('a Binary goes out raw on GET, with its content type', async () => {
      const id = await deploy(
        `return { resourceType: 'Binary', contentType: 'text/plain; version=0.0.4', data: Buffer.from('up 1\\n').toString('base64') };`.replace(
          'Buffer',
          "require('node:buffer').Buffer"
        )
      );
      const raw = await api().fhir('GET', `Bot/${id}/$execute`);
      expect([raw.status, raw.headers.get('content-type'), raw.body]).toEqual([
        200,
        'text/plain; version=0.0.4',
        'up 1\n',
      ]);
      expect((await api().fhir('POST', `Bot/${id}/$execute`, {}, JSON_TYPE)).body.resourceType).toBe('Binary');
    });

    test.each(['10n', '() => 1', '(() => { const a = {}; a.a = a; return a; })()'])(
      'a returned %s is 500',
      async (code) => {
        expect((await run(`return ${code};`)).status).toBe(500);
      }
    );

    test('a thrown OperationOutcome is 400 with it, code and all', async () => {
      const outcome = {
        resourceType: 'OperationOutcome',
        issue: [{ severity: 'error', code: 'forbidden', details: { text: 'no' } }],
      };
      const { status, body } = await run(`throw ${JSON.stringify(outcome)};`);
      expect([status, body]).toEqual([400, outcome]);
    });

    test('a thrown OperationOutcomeError loses its code', async () => {
      const { status, body } = await run(
        `const { OperationOutcomeError, forbidden } = require('@medplum/core'); throw new OperationOutcomeError(forbidden);`
      );
      expect([status, body.issue[0].code, reason(body)]).toEqual([400, 'invalid', 'Forbidden']);
    });

    test('a thrown Error is 400 with its message', async () => {
      const { status, body } = await run(`throw new Error('broken');`);
      expect([status, reason(body)]).toEqual([400, 'broken']);
    });

    test('a returned OperationOutcome is 200, even when it says error', async () => {
      const { status, body } = await run(
        `return { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'forbidden' }] };`
      );
      expect([status, body.issue[0].code]).toEqual([200, 'forbidden']);
    });

    test('a bot without code is 400', async () => {
      const bot = await api().create({ resourceType: 'Bot', name: 'empty', runtimeVersion: 'vmcontext' });
      const { status, body } = await api().fhir('POST', `Bot/${bot.id}/$execute`, {}, JSON_TYPE);
      expect([status, reason(body)]).toEqual([400, 'No executable code']);
    });

    test('the requester is the caller, and the headers hold the token of the caller', async () => {
      const { body } = await run(`return { requester: event.requester, authorization: event.headers.authorization };`);
      expect(body.requester.reference).toBe(`ClientApplication/${driver().client.id}`);
      expect(body.requester.display).toBeDefined();
      expect(body.authorization).toMatch(/^Bearer /);
    });

    test('the bot acts as itself: auth/me is the bot, and what it writes has the bot as author', async () => {
      const id = await deploy(`const me = await medplum.get('auth/me');
        const basic = await medplum.createResource({ resourceType: 'Basic', code: { text: 'x' } });
        return { me: me.profile.id, author: basic.meta.author.reference, bot: event.bot.reference };`);
      const { body } = await api().fhir('POST', `Bot/${id}/$execute`, {}, JSON_TYPE);
      expect(body).toEqual({ me: id, author: `Bot/${id}`, bot: `Bot/${id}` });
    });

    test('whoever may read the Bot may execute it, and nobody else (6.4)', async () => {
      const id = await deploy('return { ran: true };');
      const { system, value } = anIdentifier();
      const bot = (await api().fhir('GET', `Bot/${id}`)).body;
      await api().fhir('PUT', `Bot/${id}`, { ...bot, identifier: [{ system, value }] });
      const status = async (...rules: Parameters<Driver['restrictedClient']>[0]): Promise<number> =>
        (
          await new Api(driver().baseUrl, await driver().restrictedClient(rules)).fhir(
            'POST',
            `Bot/${id}/$execute`,
            {},
            JSON_TYPE
          )
        ).status;
      expect(await status({ resourceType: 'Patient' })).toBe(403);
      expect(await status({ resourceType: 'Bot', interaction: ['search'] })).toBe(403);
      expect(await status({ resourceType: 'Bot', interaction: ['read'] })).toBe(200);
      expect(await status({ resourceType: 'Bot', readonly: true, criteria: `Bot?identifier=${system}|${value}` })).toBe(
        200
      );
      expect(await status({ resourceType: 'Bot', readonly: true, criteria: `Bot?identifier=${system}|other` })).toBe(
        404
      );
    });

    test('$execute is not called inside a batch', async () => {
      const id = await deploy('return { ran: true };');
      const { body } = await api().bundle('batch', [{ request: { method: 'POST', url: `Bot/${id}/$execute` } }]);
      expect(body.entry?.[0].response.status ?? '404').toBe('404');
    });

    test('text is mirrored in the type of the answer, a path after $execute is accepted, csv arrives empty', async () => {
      const id = await deploy('return { input: event.input };');
      expect(
        (await api().fhir('POST', `Bot/${id}/$execute/more`, 'hello', { 'content-type': 'text/plain' })).body
      ).toBe('{"input":"hello"}');
      expect((await api().fhir('POST', `Bot/${id}/$execute`, 'a;b', { 'content-type': 'text/csv' })).body).toEqual({
        input: {},
      });
    });
  });

  describe('the vm context (platform.md 3.5-3.7, style.md 2)', () => {
    const absent = [
      'setTimeout',
      'Buffer',
      'process',
      'crypto',
      'AbortController',
      'structuredClone',
      'queueMicrotask',
      'Headers',
      'atob',
      'global',
    ];

    test.each(absent)('%s does not exist', async (name) => {
      expect((await run(`return { type: typeof ${name} };`)).body).toEqual({ type: 'undefined' });
    });

    test('these and no other globals exist', async () => {
      const { body } = await run(
        `return Object.getOwnPropertyNames(globalThis).filter((name) => !event.input.includes(name)).sort();`,
        builtIns()
      );
      expect(body).toEqual(
        [
          'ContentType',
          'Hl7Message',
          'MedplumClient',
          'TextDecoder',
          'TextEncoder',
          'URL',
          'URLSearchParams',
          'console',
          'event',
          'fetch',
          'require',
        ].sort()
      );
    });

    test('the console has log and no more', async () => {
      expect((await run(`return ['log', 'error', 'warn', 'info'].map((name) => typeof console[name]);`)).body).toEqual([
        'function',
        'undefined',
        'undefined',
        'undefined',
      ]);
    });

    test('host values are not instances of the realm: test by shape', async () => {
      const { body } = await run(
        `const { OperationOutcomeError, notFound } = require('@medplum/core');
         return [new OperationOutcomeError(notFound) instanceof Error, event.input.a instanceof Array, Array.isArray(event.input.a)];`,
        { a: [] }
      );
      expect(body).toEqual([false, false, true]);
    });

    test('require finds node modules and core, and nothing that is not there on a server', async () => {
      expect(
        (await run(`return typeof require('node:crypto').createHmac + typeof require('@medplum/core').MedplumClient;`))
          .body
      ).toBe('functionfunction');
      expect((await run(`require('left-pad');`)).status).toBe(400);
    });

    test('fetch is node-fetch 2: a response has text and json, its body has no reader', async () => {
      const { body } = await run(
        `const response = await fetch(event.input.url);
         return [response.ok, response.status, response.headers.get('content-type').split(';')[0], typeof response.body.getReader, (await response.json()).ok];`,
        { url: `${driver().baseUrl}healthcheck` }
      );
      expect(body).toEqual([true, 200, 'application/json', 'undefined', true]);
    });

    test('code that does not end with a semicolon fails', async () => {
      const id = await driver().deployBot('exports.handler = async () => ({ ran: true })');
      expect((await api().fhir('POST', `Bot/${id}/$execute`, {}, JSON_TYPE)).status).not.toBe(200);
    });

    test('module.exports alone is not seen', async () => {
      const id = await driver().deployBot('module.exports = { handler: async () => ({ ran: true }) };');
      expect((await api().fhir('POST', `Bot/${id}/$execute`, {}, JSON_TYPE)).status).toBe(400);
    });

    test('Bot.timeout cuts synchronous code before the first await, and nothing after it (3.1)', async () => {
      const before = await deploy('for (;;) {}');
      const bot = (await api().fhir('GET', `Bot/${before}`)).body;
      await api().fhir('PUT', `Bot/${before}`, { ...bot, timeout: 1 });
      const cut = await api().fhir('POST', `Bot/${before}/$execute`, {}, JSON_TYPE);
      expect([cut.status, reason(cut.body)]).toEqual([400, 'Script execution timed out after 1000ms']);

      const after = await deploy(`await require('node:timers/promises').setTimeout(1200); return { late: true };`);
      const late = (await api().fhir('GET', `Bot/${after}`)).body;
      await api().fhir('PUT', `Bot/${after}`, { ...late, timeout: 1 });
      expect((await api().fhir('POST', `Bot/${after}/$execute`, {}, JSON_TYPE)).body).toEqual({ late: true });
    });

    test('the clock of the bot is the clock of the server', async ({ skip }) => {
      const advance = driver().advance ?? skip('the clock of this server cannot be moved');
      await advance(86_400_000);
      const moved = new Api(driver().baseUrl, driver().client);
      const id = await deploy(
        `const basic = await medplum.createResource({ resourceType: 'Basic', code: { text: 'x' } });
         return { apart: Math.abs(Date.now() - Date.parse(basic.meta.lastUpdated)), same: new Date() instanceof Date, past: new Date(0).toISOString() };`
      );
      const { body } = await moved.fhir('POST', `Bot/${id}/$execute`, {}, JSON_TYPE);
      expect(body.apart).toBeLessThan(5_000);
      expect([body.same, body.past]).toEqual([true, '1970-01-01T00:00:00.000Z']);
    });

    test('the token of a bot is no token of another server', async () => {
      const token = await fetchToken(driver().baseUrl, driver().client);
      const forged = `${token.slice(0, -4)}AAAA`;
      const { status } = await send(driver().baseUrl, 'GET', 'fhir/R4/Patient', undefined, {
        authorization: `Bearer ${forged}`,
      });
      expect(status).toBe(401);
    });
  });
}

/** The names that every realm has by itself. */
function builtIns(): string[] {
  return Object.getOwnPropertyNames(globalThis)
    .concat('SuppressedError', 'exports', 'module')
    .filter((name) => !PROVIDED.includes(name));
}

const PROVIDED = ['TextDecoder', 'TextEncoder', 'URL', 'URLSearchParams', 'console', 'event', 'fetch', 'require'];
