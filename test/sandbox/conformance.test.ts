import { afterAll, beforeAll } from 'vitest';
import { createSandbox } from '../../scripts/sandbox/sandbox.ts';
import type { Sandbox } from '../../scripts/sandbox/sandbox.ts';
import { conformance } from './conformance.ts';
import type { Driver } from './conformance/api.ts';

let sandbox: Sandbox;
let driver: Driver;

beforeAll(async () => {
  sandbox = await createSandbox();
  const { source } = sandbox;
  const client = await source.createClient('conformance');
  driver = {
    baseUrl: source.baseUrl,
    client,
    deployBot: async (code) => (await source.createBot({ name: 'conformance', code })).id,
    restrictedClient: (resource) =>
      source.createClient('restricted', { accessPolicy: { resource: [...resource] as never } }),
    settle: () => source.idle({ timeoutMs: 10_000 }),
    advance: (ms) => sandbox.clock.advance(ms),
    limitQuota: (units) => {
      source.quota.limit = units;
    },
  };
});

afterAll(() => sandbox.close());

conformance(() => driver);
