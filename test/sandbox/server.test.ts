import type { Basic, Patient } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSandbox } from '../../scripts/sandbox/sandbox.ts';
import type { Sandbox } from '../../scripts/sandbox/sandbox.ts';
import type { WireEntry } from '../../scripts/sandbox/wire.ts';
import { Api, aPatient } from './conformance/api.ts';

let sandbox: Sandbox;
let api: Api;

beforeEach(async () => {
  sandbox = await createSandbox();
  api = new Api(sandbox.source.baseUrl, await sandbox.source.createClient('app'));
});
afterEach(() => sandbox.close());

describe('faults', () => {
  test('failNext answers so many matching requests, and leaves the others alone', async () => {
    sandbox.source.faults.failNext(
      { method: 'POST', url: 'Patient' },
      { status: 503, headers: { 'Retry-After': '2' }, times: 2 }
    );
    const first = await api.fhir('POST', 'Patient', aPatient());
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '2']);
    expect((await api.fhir('GET', 'Patient')).status).toBe(200);
    expect((await api.fhir('POST', 'Patient', aPatient())).status).toBe(503);
    expect((await api.fhir('POST', 'Patient', aPatient())).status).toBe(201);
  });

  test('a failure without status cuts the connection', async () => {
    await api.fhir('GET', 'Patient');
    sandbox.source.faults.failNext({ url: /Patient/ }, {});
    await expect(api.fhir('POST', 'Patient', aPatient())).rejects.toThrow('fetch failed');
    expect(await api.find('Patient')).toEqual([]);
  });

  test('a failure afterwards loses the answer of what was done', async () => {
    await api.fhir('GET', 'Patient');
    sandbox.source.faults.failNext({ method: 'POST' }, { afterwards: true });
    await expect(api.fhir('POST', 'Patient', aPatient())).rejects.toThrow('fetch failed');
    expect(await api.find('Patient')).toHaveLength(1);
  });

  test('a server that is down cuts or refuses everything, until it is not', async () => {
    await api.fhir('GET', 'Patient');
    sandbox.source.faults.down = 'unavailable';
    expect((await api.fhir('GET', 'Patient')).status).toBe(503);
    sandbox.source.faults.down = 'cut';
    await expect(api.fhir('GET', 'Patient')).rejects.toThrow('fetch failed');
    sandbox.source.faults.clear();
    expect((await api.fhir('GET', 'Patient')).status).toBe(200);
  });

  test('conflictRate answers writes with 409 and PostgreSQL code 40001, and never reads', async () => {
    const { faults } = sandbox.source;
    faults.conflictRate = 0.5;
    const chances = [0.4, 0.6];
    faults.random = () => chances.shift() ?? 1;
    const { status, body } = await api.fhir('POST', 'Patient', aPatient());
    expect([status, body.issue[0].details?.coding?.[0]?.code]).toEqual([409, '40001']);
    expect((await api.fhir('POST', 'Patient', aPatient())).status).toBe(201);
    faults.random = () => 0;
    expect((await api.fhir('GET', 'Patient')).status).toBe(200);
    expect((await api.fhir('POST', 'Patient', aPatient())).status).toBe(409);
  });

  test('a lost Subscription event leaves the change and calls nobody', async () => {
    const { source } = sandbox;
    const bot = await source.createBot({ name: 'seen', code: 'exports.handler = async () => undefined;' });
    await source.subscribe(bot, 'Patient');
    source.faults.loseSubscriptionEvents((change) => change.type === 'Patient');
    const lost = await api.create(aPatient());
    const kept = await api.create(aPatient());
    await source.idle();
    expect(source.botRuns.map((run) => run.subject)).toEqual([`Patient/${kept.id}`]);
    expect((await api.fhir('GET', `Patient/${lost.id}`)).status).toBe(200);
  });
});

describe('idle', () => {
  test('a bot that never resolves is named when the time is over', async () => {
    const { source } = sandbox;
    const bot = await source.createBot({
      name: 'sleeper',
      code: 'exports.handler = () => new Promise(() => undefined);',
    });
    await source.subscribe(bot, 'Patient');
    await api.create(aPatient());
    await expect(source.idle({ timeoutMs: 50 })).rejects.toThrow('Still running after 50 ms: sleeper');
  });

  test('it waits for what a bot causes', async () => {
    const { source } = sandbox;
    const first = await source.createBot({
      name: 'first',
      code: `exports.handler = async (medplum) => { await medplum.createResource({ resourceType: 'Basic', code: { text: 'x' } }); };`,
    });
    const second = await source.createBot({
      name: 'second',
      code: `exports.handler = async (medplum) => { await require('node:timers/promises').setTimeout(20); };`,
    });
    await source.subscribe(first, 'Patient');
    await source.subscribe(second, 'Basic');
    await api.create(aPatient());
    await source.idle({ timeoutMs: 5_000 });
    expect(source.botRuns.map((run) => run.bot.name)).toEqual(['first', 'second']);
  });
});

describe('cron', () => {
  test('runs may overlap when the clock does not wait (platform.md 1.5)', async () => {
    const { source, clock } = sandbox;
    await source.createBot({
      name: 'slow',
      cronString: '* * * * *',
      code: `exports.handler = async () => { await require('node:timers/promises').setTimeout(30); };`,
    });
    await clock.advance(3 * 60_000, { overlap: true });
    expect(source.botRuns).toHaveLength(0);
    await source.idle({ timeoutMs: 5_000 });
    expect(source.botRuns).toHaveLength(3);
  });

  test('a schedule that is taken away, or whose bot is deleted, stops', async () => {
    const { source, clock } = sandbox;
    const code = 'exports.handler = async () => undefined;';
    const bot = await source.createBot({ name: 'one', cronString: '* * * * *', code });
    const other = await source.createBot({ name: 'two', cronString: '* * * * *', code });
    await clock.advance(60_000);
    const { cronString: _cronString, ...without } = bot;
    await source.repo.updateResource(without);
    await source.repo.deleteResource('Bot', other.id);
    await clock.advance(5 * 60_000);
    expect(source.botRuns).toHaveLength(2);
  });
});

describe('the operator', () => {
  test('gets copies: changing one changes nothing that is stored', async () => {
    const { repo } = sandbox.source;
    const patient = await repo.createResource<Patient>(aPatient());
    patient.active = true;
    expect((await repo.readResource<Patient>('Patient', patient.id)).active).toBeUndefined();
    expect((await repo.updateResource(patient)).active).toBe(true);
  });

  test('leaves no AuditEvents and uses no quota', async () => {
    const { repo, quota } = sandbox.source;
    await repo.createResource(aPatient());
    expect(await repo.searchResources({ resourceType: 'AuditEvent' })).toEqual([]);
    expect([...quota.units]).toEqual([]);
  });

  test('a transaction in process is undone as one over HTTP', async () => {
    const { repo } = sandbox.source;
    const attempt = repo.withTransaction(async (inside) => {
      await inside.createResource(aPatient());
      throw new Error('no');
    });
    await expect(attempt).rejects.toThrow('no');
    expect(await repo.searchResources({ resourceType: 'Patient' })).toEqual([]);
  });

  test('transactions in process take turns, even when they wait for something else', async () => {
    const { repo } = sandbox.source;
    const once = (): Promise<void> =>
      repo.withTransaction(async (inside) => {
        const found = await inside.searchResources({ resourceType: 'Patient' });
        await sleep(1);
        if (found.length === 0) {
          await inside.createResource(aPatient());
        }
      });
    await Promise.all([once(), once(), once()]);
    expect(await repo.searchResources({ resourceType: 'Patient' })).toHaveLength(1);
  });

  test('others do not see what is not committed', async () => {
    const { repo } = sandbox.source;
    let seen: Promise<unknown[]> | undefined;
    await repo
      .withTransaction(async (inside) => {
        await inside.createResource(aPatient());
        seen = repo.searchResources({ resourceType: 'Patient' });
        await sleep(1);
        throw new Error('no');
      })
      .catch(() => undefined);
    expect(await seen).toEqual([]);
  });
});

describe('the two servers', () => {
  test('a bot of the source writes to the replica, and the wire log of the replica shows all of it', async () => {
    const { source, replica } = sandbox;
    const client = await replica.createClient('source');
    await source.setSecrets({ URL: replica.baseUrl, ID: client.id, SECRET: client.secret });
    const log: WireEntry[] = [];
    replica.onRequest((entry) => log.push(entry));
    const bot = await source.createBot({
      name: 'copy',
      code: `exports.handler = async (medplum, event) => {
        const { URL: { valueString: url }, ID, SECRET } = event.secrets;
        const authorization = 'Basic ' + require('node:buffer').Buffer.from(ID.valueString + ':' + SECRET.valueString).toString('base64');
        const headers = { authorization, 'content-type': 'application/fhir+json' };
        const body = JSON.stringify({ resourceType: 'Basic', code: { text: event.input.id } });
        const response = await fetch(url + 'fhir/R4/Basic', { method: 'POST', headers, body });
        if (response.status !== 201) throw new Error(await response.text());
      };`,
    });
    await source.subscribe(bot, 'Patient');
    const { id } = await api.create(aPatient());
    await source.idle({ timeoutMs: 5_000 });
    const [copy] = await replica.repo.searchResources<Basic>({ resourceType: 'Basic' });
    expect(copy?.code.text).toBe(id);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatchObject({
      method: 'POST',
      url: '/fhir/R4/Basic',
      status: 201,
      interaction: 'create',
      caller: client.reference,
    });
    expect(JSON.parse(log[0]?.body ?? '')).toEqual({ resourceType: 'Basic', code: { text: id } });
    expect(replica.requestCounts.get('POST create')).toBe(1);
  });

  test('a token of one is nothing to the other', async () => {
    const client = await sandbox.replica.createClient('x');
    const replica = new Api(sandbox.replica.baseUrl, client);
    expect((await replica.fhir('GET', 'Patient')).status).toBe(200);
    await expect(new Api(sandbox.source.baseUrl, client).fhir('GET', 'Patient')).rejects.toThrow('No token: 400');
  });

  test('saveAuditEvents off leaves none, not even of bot runs', async () => {
    const quiet = await createSandbox({ source: { saveAuditEvents: false } });
    const caller = new Api(quiet.source.baseUrl, await quiet.source.createClient('app'));
    const bot = await quiet.source.createBot({ name: 'b', code: `exports.handler = async () => console.log('x');` });
    await caller.fhir('POST', `Bot/${bot.id}/$execute`, {});
    await caller.create(aPatient());
    expect(await caller.find('AuditEvent')).toEqual([]);
    await quiet.close();
  });

  test('without the feature transaction-bundles a transaction runs as a batch (platform.md 11.6)', async () => {
    const old = await createSandbox({ source: { features: ['bots'] } });
    const caller = new Api(old.source.baseUrl, await old.source.createClient('app'));
    const { body } = await caller.bundle('transaction', [
      { request: { method: 'POST', url: 'Patient' }, resource: aPatient() },
      { request: { method: 'POST', url: 'Patient' }, resource: { ...aPatient(), nickname: 'x' } as Patient },
    ]);
    expect(body.entry.map((entry) => entry.response.status)).toEqual(['201', '400']);
    await old.close();
  });

  test('a bot cannot require what happens to be installed here', async () => {
    const bot = await sandbox.source.createBot({
      name: 'b',
      code: `exports.handler = async () => require('esbuild').version;`,
    });
    const { status, body } = await api.fhir('POST', `Bot/${bot.id}/$execute`, {});
    expect([status, body.issue[0].details?.text]).toEqual([400, "Cannot find module 'esbuild'"]);
  });

  test('a deployment replaces the code of a bot and keeps its id', async () => {
    const identifier = { system: 'urn:bots', value: 'b' };
    const bot = await sandbox.source.createBot({ name: 'b', identifier, code: 'exports.handler = async () => 1;' });
    const again = await sandbox.source.createBot({ name: 'b', identifier, code: 'exports.handler = async () => 2;' });
    expect(again.id).toBe(bot.id);
    expect((await api.fhir('POST', `Bot/${bot.id}/$execute`, {})).body).toBe(2);
  });

  test('$expunge removes all versions, for admins only (platform.md 8.3)', async () => {
    const { id } = await api.create(aPatient());
    expect((await api.fhir('POST', `Patient/${id}/$expunge`)).status).toBe(403);
    const eraser = new Api(
      sandbox.source.baseUrl,
      await sandbox.source.createClient('eraser', {
        admin: true,
        accessPolicy: { resource: [{ resourceType: 'Task' }] },
      })
    );
    expect((await eraser.fhir('POST', `Patient/${id}/$expunge`)).status).toBe(200);
    expect((await api.fhir('GET', `Patient/${id}`)).status).toBe(404);
    expect((await api.fhir('GET', `Patient/${id}/_history`)).status).toBe(404);
    expect(await api.find(`Patient?_id=${id}`)).toEqual([]);
  });
});
