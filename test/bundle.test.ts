/** The built bundles, in the two runtimes they are deployed to, with nothing configured and nothing to reach. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import vm from 'node:vm';
import { ContentType, Hl7Message, MedplumClient } from '@medplum/core';
import type { OperationOutcome } from '@medplum/fhirtypes';
import { Linter } from 'eslint';
import { describe, expect, inject, test } from 'vitest';
import { BUDGET_BYTES, sizes } from '../scripts/build.ts';
import type { BuiltBot } from '../scripts/build.ts';

const { bots, error } = inject('built');
const require = createRequire(import.meta.url);

/** What a bundle may ask its runtime for; `src/platform.d.ts` and `test/architecture.test.ts` say the same of sources. */
const PROVIDED = /^(@medplum\/core|node:[a-z/]+)$/;

/** All that Medplum 5 puts into the vm context beside the language itself (`packages/server/src/bots/vmcontext.ts`). */
const VM_GLOBALS = [
  'console',
  'fetch',
  'require',
  'ContentType',
  'Hl7Message',
  'MedplumClient',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'URLSearchParams',
  'event',
] as const;

interface Seen {
  readonly log: string[];
  readonly required: string[];
  readonly requests: string[];
  result?: unknown;
  thrown?: unknown;
}

/** The servers that a bot calls without settings: none may be reached. */
function refuseTo(seen: Seen): (url: unknown) => Promise<never> {
  return (url) => {
    seen.requests.push(String(url));
    return Promise.reject(new Error('the test has no network'));
  };
}

const newSeen = (): Seen => ({ log: [], required: [], requests: [] });

const emptyEvent = {
  bot: { reference: 'Bot/1' },
  input: {},
  contentType: 'application/fhir+json',
  secrets: {},
  headers: {},
};

/** Runs a bundle as the vm context does: the wrapper declares `exports` and `module`, our text stands between. */
async function runInVm(code: string): Promise<Seen> {
  const seen = newSeen();
  const sandbox: Record<(typeof VM_GLOBALS)[number], unknown> = {
    console: { log: (line: string) => seen.log.push(line) },
    fetch: refuseTo(seen),
    require: (name: string): unknown => {
      seen.required.push(name);
      return require(name);
    },
    ContentType,
    Hl7Message,
    MedplumClient,
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
    event: { ...emptyEvent, baseUrl: 'http://source.invalid/', accessToken: 'token' },
  };
  const wrapped = `const exports = {}; const module = { exports };
${code}
(async () => {
  const { baseUrl, accessToken, ...rest } = event;
  const medplum = new MedplumClient({ baseUrl, fetch: (url, options) => fetch(url, options) });
  medplum.setAccessToken(accessToken);
  return exports.handler(medplum, rest);
})();`;
  try {
    seen.result = await vm.runInNewContext(wrapped, sandbox, { timeout: 5_000 });
  } catch (thrown) {
    seen.thrown = thrown;
  }
  return seen;
}

/**
 * Medplum's Lambda wrapper in our words (`packages/server/src/cloud/aws/deploy.ts` of 5.0.10): the bundle is a file of its own,
 * `user.cjs`, and what it throws is printed before it is thrown on. Without pdfmake, which no bot of ours uses.
 */
const LAMBDA_WRAPPER = `
const { ContentType, Hl7Message, MedplumClient } = require("@medplum/core");
const userCode = require("./user.cjs");
exports.handler = async (event) => {
  const { bot, baseUrl, accessToken, requester, contentType, secrets, traceId, headers } = event;
  const medplum = new MedplumClient({
    baseUrl,
    fetch: (url, options = {}) => {
      options.headers ||= {};
      options.headers['X-Trace-Id'] = traceId;
      options.headers['traceparent'] = traceId;
      return fetch(url, options);
    },
  });
  medplum.setAccessToken(accessToken);
  try {
    const isHl7 = contentType === ContentType.HL7_V2;
    const input = isHl7 && event.input ? Hl7Message.parse(event.input) : event.input;
    const result = await userCode.handler(medplum, { bot, requester, input, contentType, secrets, traceId, headers });
    return isHl7 && result ? result.toString() : result;
  } catch (err) {
    console.log('Unhandled error: ' + (err instanceof Error ? err.stack : JSON.stringify(err, undefined, 2)));
    throw err;
  }
};`;

interface LambdaHandler {
  handler(event: unknown): Promise<unknown>;
}

/** Runs a bundle as Lambda does: wrapped, `require`d from a CommonJS file, with all of Node around it; the answer travels as JSON. */
async function runInLambda(file: string): Promise<Seen> {
  const seen = newSeen();
  const load = (name: string): unknown => {
    seen.required.push(name);
    return require(name === './user.cjs' ? file : name);
  };
  const exports = {} as LambdaHandler;
  const scope = {
    exports,
    require: load,
    fetch: refuseTo(seen),
    console: { log: (line: string) => seen.log.push(line) },
  };
  (vm.compileFunction(LAMBDA_WRAPPER, Object.keys(scope)) as (...values: unknown[]) => void)(...Object.values(scope));
  try {
    const answer = await exports.handler({
      ...emptyEvent,
      baseUrl: 'http://source.invalid/',
      accessToken: 'token',
      traceId: 'trace',
    });
    seen.result = JSON.parse(JSON.stringify(answer));
  } catch (thrown) {
    seen.thrown = thrown;
  }
  return seen;
}

/** `health` says how the source is doing, settings or not; and nothing is there to ask but the source. */
const MAY_ASK: Readonly<Record<string, RegExp>> = { health: /^http:\/\/source\.invalid\/fhir\/R4\/Basic\?/ };

/** Of an answer; a page is a Binary. */
function textOf(answer: unknown): string {
  const { resourceType, data } = answer as { resourceType?: string; data?: string };
  return resourceType === 'Binary' ? Buffer.from(data ?? '', 'base64').toString('utf8') : JSON.stringify(answer);
}

/**
 * A bot without settings may refuse, by throwing a plain OperationOutcome (the only shape that Medplum passes on with
 * its code), or report that they are missing. It may not stumble.
 */
function expectCleanRefusal({ result, thrown, requests }: Seen, bot = ''): void {
  if (thrown !== undefined) {
    expect(String((thrown as Error).stack ?? ''), 'threw an Error, not an OperationOutcome').toBe('');
    const { resourceType, issue = [] } = thrown as Partial<OperationOutcome>;
    expect(resourceType).toBe('OperationOutcome');
    expect(issue.map(({ severity }) => severity)).toContainEqual(expect.stringMatching(/^(error|fatal)$/));
    // `observability/fault.ts` answers this text for errors that are not ours, that is, for defects.
    expect(JSON.stringify(thrown)).not.toContain('failed unexpectedly');
  }
  expect(textOf(thrown ?? result)).toMatch(/setting|missing|REPLICA_/i);
  expect(
    requests.filter((url) => !MAY_ASK[bot]?.test(url)),
    'called a server without settings'
  ).toEqual([]);
}

/** Free names in a script, by ESLint's scope analysis: what it would look up in its runtime. */
function freeNames(code: string): string[] {
  const allowed = [...VM_GLOBALS].filter(
    (name) => !['event', 'ContentType', 'Hl7Message', 'MedplumClient'].includes(name)
  );
  // esbuild's hint to Node's export detection, `0 && (module.exports = { handler })`, is never evaluated.
  const messages = new Linter().verify(code.replace(/\b0&&\(module\.exports=\{handler\}\);/, ''), {
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: 'commonjs',
      globals: { globalThis: 'off', ...Object.fromEntries(allowed.map((name) => [name, 'readonly'] as const)) },
    },
    linterOptions: { reportUnusedDisableDirectives: 'off' },
    rules: { 'no-undef': ['error', { typeof: true }], 'no-eval': 'error', 'no-new-func': 'error' },
  });
  return messages.map(({ message }) => message);
}

test('the bundles are built', () => {
  expect(error).toBeUndefined();
  expect(bots.length).toBeGreaterThan(0);
});

describe.each(bots.map((bot) => ({ ...bot })))('$name', (bot: BuiltBot) => {
  test('refuses cleanly in the vm context', async () => {
    const seen = await runInVm(bot.code);
    expectCleanRefusal(seen, bot.name);
    expect(seen.required.filter((name) => !PROVIDED.test(name))).toEqual([]);
  });

  test('refuses cleanly in Lambda, whose log then holds the outcome', async () => {
    const seen = await runInLambda(bot.file);
    expectCleanRefusal(seen, bot.name);
    expect(seen.thrown === undefined || seen.log.some((line) => line.includes('OperationOutcome'))).toBe(true);
    expect(seen.required).toContain('./user.cjs');
  });

  test('exports a handler and ends a statement', () => {
    const exports: { handler?: unknown } = {};
    vm.runInNewContext(bot.code, { exports, module: { exports: {} }, require, console, URL, URLSearchParams });
    expect(typeof exports.handler).toBe('function');
    expect(bot.code.endsWith(';')).toBe(true);
  });

  test('is CommonJS to Medplum, which takes a text with `export` and without `module.exports` for a module', () => {
    expect(bot.code).toMatch(/\bmodule\.exports\b/);
  });

  test('uses no name that the vm context does not have', () => expect(freeNames(bot.code)).toEqual([]));

  test('contains our code only, and no source map', () => {
    expect(bot.inputs.filter((input) => !/^(src\/|bots\.config\.json$)/.test(input))).toEqual([]);
    expect(bot.code).not.toContain('sourceMappingURL');
  });

  test('is what stands in dist/, within its budget', () => {
    expect(readFileSync(bot.file, 'utf8')).toBe(bot.code);
    expect(bot.bytes).toBeLessThanOrEqual(BUDGET_BYTES);
  });
});

describe('these tests can fail', () => {
  const footer = 'Object.assign(exports, module.exports);';
  const bundleOf = (body: string): string =>
    `module.exports = { handler: async (medplum, event) => { ${body} } };${footer}`;

  test.each([
    ['a timer', 'setTimeout(() => {}, 1)'],
    ['a missing method', 'event.secrets.KEY.valueString'],
    ['an Error', `throw new Error('settings')`],
    [
      'a defect behind an outcome',
      `throw { resourceType: 'OperationOutcome', issue: [{ severity: 'fatal', details: { text: 'The bot failed unexpectedly.' } }] }`,
    ],
    ['success without settings', 'return { synced: 1 }'],
    ['a request without settings', `await fetch('http://x.invalid').catch(() => 0); return 'settings missing'`],
  ])('%s is not a clean refusal', async (_, body) => {
    const seen = await runInVm(bundleOf(body));
    expect(() => expectCleanRefusal(seen)).toThrow();
  });

  test('a clean refusal is one', async () => {
    const outcome = `{ resourceType: 'OperationOutcome', issue: [{ severity: 'error', details: { text: 'A setting is missing' } }] }`;
    expectCleanRefusal(await runInVm(bundleOf(`throw ${outcome}`)));
    expectCleanRefusal(await runInVm(bundleOf(`return { problems: ['REPLICA_BASE_URL is missing'] }`)));
  });

  test('without the footer there is no handler', async () => {
    const seen = await runInVm('module.exports = { handler: async () => 1 };');
    expect(String(seen.thrown)).toContain('exports.handler is not a function');
  });

  test.each([
    'globalThis.x',
    'process.env',
    'Buffer.from(x => x)',
    'setTimeout(f => f)',
    'typeof window',
    'eval("1")',
    'new Function("1")',
  ])('free use of %s is found', (code) => expect(freeNames(`${code};`)).toHaveLength(1));

  test('properties, locals and the vm globals are not', () =>
    expect(
      freeNames(`const process = require('x'); process.env; a.setTimeout; var a = new URL('x'); exports.a = Promise;`)
    ).toEqual([]));

  test('a bundle over budget is counted', () => {
    const bot: BuiltBot = { name: 'big', version: '', file: '', code: '', bytes: BUDGET_BYTES + 1, inputs: [] };
    expect(sizes([bot, { ...bot, name: 'small', bytes: 1 }])).toMatchObject({
      over: 1,
      table: expect.stringContaining('OVER') as string,
    });
  });
});
