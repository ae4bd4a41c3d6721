/** Deployments against a server in memory: plan → apply → look again. */
import type {
  AccessPolicy,
  Bot,
  OperationDefinition,
  ProjectMembership,
  Subscription,
  UserConfiguration,
} from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { apply } from '../../scripts/deploy/apply.ts';
import { gather, strangersOf } from '../../scripts/deploy/gather.ts';
import type { BotRow, Manifest, Runtime } from '../../scripts/deploy/manifest.ts';
import { only, planDeploy, planUndeploy, policiesInUse } from '../../scripts/deploy/plan.ts';
import type { Action } from '../../scripts/deploy/plan.ts';
import { lineOf } from '../../scripts/deploy/show.ts';
import { wantedOf } from '../../scripts/deploy/wanted.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { fakeServer } from './fake-server.ts';
import type { Fake } from './fake-server.ts';

const systems = systemsOf();

const aBot = (name: string, changes: Partial<BotRow> = {}): BotRow => ({
  name,
  description: `Does ${name}.`,
  triggers: [{ subscription: { criteria: 'Patient' } }, { cron: '*/5 * * * *' }],
  timeoutSeconds: 60,
  auditEventTrigger: 'on-error',
  quotaPerMinute: 1000,
  access: [
    { resourceType: 'Patient', interaction: ['read', 'search'] },
    { resourceType: 'Basic', interaction: ['create'], criteria: 'Basic?code={control}|patient-link' },
    { resourceType: 'AuditEvent', interaction: ['create'] },
  ],
  ...changes,
});

// Names of files that exist: their sources are uploaded along.
const manifest: Manifest = {
  bots: [aBot('sync-change'), aBot('sweep', { callers: ['ADMIN'] })],
  roles: [
    { role: 'ADMIN', description: 'An operator.', access: [{ resourceType: 'AuditEvent', interaction: ['create'] }] },
  ],
  operations: [
    { code: 'sweep-now', bot: 'sweep', description: 'Sweeps.', resource: ['Patient'], returns: 'Parameters' },
  ],
};

interface Options {
  readonly manifest?: Manifest;
  readonly version?: string;
  readonly runtime?: Runtime;
  readonly prune?: boolean;
}

async function planOf(server: Fake, options: Options = {}): Promise<Action[]> {
  const { manifest: rows = manifest, version = '1', runtime } = options;
  const built = rows.bots.map(({ name }) => ({ name, version }));
  return planDeploy(wantedOf(rows, { systems, built, runtime }), await gather(server, systems));
}

async function deploy(server: Fake, options: Options = {}): Promise<Action[]> {
  const { manifest: rows = manifest, version = '1', prune = false } = options;
  const steps = (await planOf(server, options)).filter(({ isPrune }) => prune || !isPrune);
  const bundles = rows.bots.map(({ name }) => ({ name, version, code: version }));
  const done: Action[] = [];
  await apply(
    { server, systems, projectId: 'p', bundles, patienceMs: 20 },
    await gather(server, systems),
    steps,
    (action) => done.push(action)
  );
  return done;
}

const lines = (actions: readonly Action[]): string[] => actions.map((action) => lineOf(action).replace(/ +/g, ' '));

async function deployed(): Promise<Fake> {
  const server = fakeServer();
  await deploy(server);
  server.writes.length = 0;
  return server;
}

describe('on an empty project', () => {
  test('everything is made, in the order in which it is safe', async () => {
    const server = fakeServer();
    const done = await deploy(server);
    expect([...new Set(done.map(({ kind }) => kind))]).toEqual([
      'policy',
      'quota',
      'bot',
      'membership',
      'code',
      'operation',
      'subscription',
      'schedule',
    ]);
    expect(await planOf(server)).toEqual([]);
  });

  test('a bot is found by its identifier, has its policy and quota, and no admin rights', async () => {
    const server = await deployed();
    const bot = server.of<Bot>('Bot').find(({ name }) => name === 'sweep')!;
    expect(bot).toMatchObject({
      identifier: [{ system: systems.bot, value: 'sweep' }],
      runtimeVersion: 'vmcontext',
      timeout: 60,
      cronString: '*/5 * * * *',
    });
    const membership = server
      .of<ProjectMembership>('ProjectMembership')
      .find(({ user }) => user?.reference === `Bot/${bot.id}`)!;
    const policy = server
      .of<AccessPolicy>('AccessPolicy')
      .find(({ id }) => membership.accessPolicy?.reference === `AccessPolicy/${id}`)!;
    expect(policy.resource).toContainEqual({
      resourceType: 'Basic',
      interaction: ['create'],
      criteria: `Basic?code=${systems.control}|patient-link`,
    });
    const quota = server
      .of<UserConfiguration>('UserConfiguration')
      .find(({ id }) => membership.userConfiguration?.reference === `UserConfiguration/${id}`)!;
    expect(quota.option).toEqual([{ id: 'fhirQuota', valueInteger: 1000 }]);
    expect(membership.admin).toBeUndefined();
  });

  test('a Subscription fires on all interactions and leads to its bot; an operation too', async () => {
    const server = await deployed();
    const bot = server.of<Bot>('Bot').find(({ name }) => name === 'sync-change')!;
    const [subscription] = await server.search<Subscription>(`Subscription?url=Bot/${bot.id}`);
    expect(subscription).toMatchObject({ status: 'active', criteria: 'Patient', channel: { type: 'rest-hook' } });
    expect(subscription).not.toHaveProperty('extension');
    const sweep = server.of<Bot>('Bot').find(({ name }) => name === 'sweep')!;
    expect(server.of<OperationDefinition>('OperationDefinition')[0]?.extension?.[0]?.valueReference).toEqual({
      reference: `Bot/${sweep.id}`,
    });
  });

  test('callers may read the bots that name them and their operations, and no others', async () => {
    const server = await deployed();
    const policy = server.of<AccessPolicy>('AccessPolicy').find(({ name }) => name?.endsWith('ADMIN'))!;
    expect(policy.resource?.slice(1)).toEqual([
      { resourceType: 'Bot', interaction: ['read', 'search'], criteria: `Bot?identifier=${systems.bot}|sweep` },
      {
        resourceType: 'OperationDefinition',
        interaction: ['read', 'search'],
        criteria: 'OperationDefinition?code=sweep-now',
      },
    ]);
  });

  test('Lambda gets the same bundle, by $deploy', async () => {
    const server = fakeServer();
    await deploy(server, { runtime: 'awslambda' });
    expect(server.writes.filter((write) => write === 'deploy Bot')).toHaveLength(2);
    expect(await planOf(server, { runtime: 'awslambda' })).toEqual([]);
  });
});

describe('on a deployed project', () => {
  test('nothing is written again', async () => {
    const server = await deployed();
    await deploy(server);
    expect(server.writes).toEqual([]);
  });

  test('only the code is written when only the code has changed', async () => {
    const server = await deployed();
    expect(lines(await deploy(server, { version: '2' }))).toEqual([
      '~ code sync-change 2 (runs 1)',
      '~ code sweep 2 (runs 1)',
    ]);
  });

  test('a change of runtime brings the code along', async () => {
    const server = await deployed();
    const done = await deploy(server, { runtime: 'awslambda' });
    expect(done.map(({ kind }) => kind)).toEqual(['bot', 'bot', 'code', 'code']);
    expect(await planOf(server, { runtime: 'awslambda' })).toEqual([]);
  });

  type Drift = (server: Fake, edit: (type: string, changes: object) => void) => void;
  const drifts: [string, Drift, string[]][] = [
    [
      'another timeout, and the rights of the caller',
      (_, edit) => edit('Bot', { timeout: 5, runAsUser: true }),
      ['~ bot sync-change vmcontext, 60 s (timeout, runAsUser)'],
    ],
    ['no schedule', (_, edit) => edit('Bot', { cronString: undefined }), ['+ schedule sync-change */5 * * * *']],
    ['no code', (_, edit) => edit('Bot', { executableCode: undefined }), ['+ code sync-change 1 (does not run)']],
    [
      'a wider policy',
      (_, edit) => edit('AccessPolicy', { resource: [{ resourceType: '*' }] }),
      ['~ access policy sync-change Patient Basic AuditEvent (resource)'],
    ],
    ['admin rights', (_, edit) => edit('ProjectMembership', { admin: true }), ['~ membership sync-change (admin)']],
    [
      'a second policy',
      (_, edit) => edit('ProjectMembership', { access: [{ policy: { reference: 'AccessPolicy/x' } }] }),
      ['~ membership sync-change (access)'],
    ],
    [
      'a smaller quota',
      (_, edit) => edit('UserConfiguration', { option: [] }),
      ['~ quota sync-change 1000 units a minute (option)'],
    ],
    [
      'a Subscription that is off',
      (_, edit) => edit('Subscription', { status: 'off' }),
      ['~ subscription sync-change Patient (status)'],
    ],
    [
      'a Subscription to creates alone',
      (_, edit) => edit('Subscription', { extension: [{ url: 'x' }] }),
      ['~ subscription sync-change Patient (extension)'],
    ],
    [
      'other criteria',
      (_, edit) => edit('Subscription', { criteria: 'Encounter' }),
      ['- subscription sync-change Encounter (not in the manifest)', '+ subscription sync-change Patient'],
    ],
    [
      'no Subscription',
      (server) => server.rows.delete(`Subscription/${server.of('Subscription')[0]!.id}`),
      ['+ subscription sync-change Patient'],
    ],
    [
      'a policy made twice',
      (server) => void server.rows.set('AccessPolicy/zz', { ...server.of<AccessPolicy>('AccessPolicy')[0]!, id: 'zz' }),
      ['- access policy sync-change (is there twice)'],
    ],
  ];

  test.each(drifts)('%s is repaired', async (_, drift, expected) => {
    const server = await deployed();
    drift(server, (type, changes) => {
      const row = server.of(type as 'Bot')[0]!;
      server.rows.set(`${type}/${row.id}`, { ...row, ...changes });
    });
    expect(lines(await deploy(server))).toEqual(expected);
    expect(await planOf(server)).toEqual([]);
  });

  test('what others have set on a resource of ours stays', async () => {
    const server = await deployed();
    const bot = server.of<Bot>('Bot')[0]!;
    server.rows.set(`Bot/${bot.id}`, { ...bot, photo: { title: 'x' }, timeout: 1 });
    await deploy(server);
    expect(server.rows.get(`Bot/${bot.id}`)).toMatchObject({ photo: { title: 'x' }, timeout: 60 });
  });

  test('a display that somebody added to a reference is no change', async () => {
    const server = await deployed();
    const membership = server.of<ProjectMembership>('ProjectMembership')[0]!;
    server.rows.set(`ProjectMembership/${membership.id}`, {
      ...membership,
      accessPolicy: { ...membership.accessPolicy, display: 'x' },
      admin: false,
      access: [],
    });
    expect(await planOf(server)).toEqual([]);
  });

  test('a bot without a membership, which would run with the rights of its caller, is made anew', async () => {
    const server = await deployed();
    const membership = server.of<ProjectMembership>('ProjectMembership')[0]!;
    server.rows.delete(`ProjectMembership/${membership.id}`);
    expect((await deploy(server)).map(({ verb, kind }) => `${verb} ${kind}`)).toEqual([
      'delete schedule',
      'delete bot',
      'create bot',
      'create membership',
      'create code',
      'update subscription',
      'create schedule',
    ]);
    expect(await planOf(server)).toEqual([]);
  });

  test('a bot whose making was cut is taken up by its policy, not made twice', async () => {
    const server = await deployed();
    const bot = server.of<Bot>('Bot')[0]!;
    server.rows.set(`Bot/${bot.id}`, { ...bot, identifier: undefined } as unknown as Bot & { id: string });
    expect(lines(await deploy(server))).toEqual(['~ bot sync-change vmcontext, 60 s (identifier)']);
    expect(server.of('Bot')).toHaveLength(2);
  });

  test('Bots and Subscriptions of other people are left, and reported when they start ours', async () => {
    const server = await deployed();
    const bot = server.of<Bot>('Bot')[0]!;
    await server.create<Bot>({ resourceType: 'Bot', name: 'sync-change' });
    await server.create<Subscription>({
      resourceType: 'Subscription',
      status: 'active',
      reason: 'x',
      criteria: 'Patient',
      channel: { type: 'rest-hook', endpoint: `Bot/${bot.id}` },
    });
    expect(await planOf(server)).toEqual([]);
    expect(await strangersOf(server, await gather(server, systems))).toEqual([
      expect.stringMatching(/^Subscription\/id-\d+ starts sync-change$/),
    ]);
  });

  test('--only concerns one bot', async () => {
    const server = await deployed();
    const plan = only(await planOf(server, { version: '2' }), 'sweep');
    expect(lines(plan)).toEqual(['~ code sweep 2 (runs 1)']);
  });
});

describe('what leaves the manifest', () => {
  const less: Manifest = { bots: [aBot('sync-change')], roles: [] };

  test('is reported and left', async () => {
    const server = await deployed();
    expect(await deploy(server, { manifest: less })).toEqual([]);
    expect((await planOf(server, { manifest: less })).every(({ isPrune }) => isPrune)).toBe(true);
  });

  test('goes with --prune, what starts a bot first', async () => {
    const server = await deployed();
    const done = await deploy(server, { manifest: less, prune: true });
    expect(done.map(({ kind }) => kind)).toEqual([
      'schedule',
      'subscription',
      'operation',
      'membership',
      'bot',
      'policy',
      'policy',
      'quota',
    ]);
    expect(await planOf(server, { manifest: less })).toEqual([]);
    expect(server.of<Bot>('Bot').map(({ name }) => name)).toEqual(['sync-change']);
  });

  test('a trigger goes at once: its bot is still there', async () => {
    const server = await deployed();
    const untriggered = {
      ...manifest,
      bots: [aBot('sync-change', { triggers: [{ execute: true }] }), manifest.bots[1]!],
    };
    expect(lines(await deploy(server, { manifest: untriggered }))).toEqual([
      '- schedule sync-change (not in the manifest)',
      '- subscription sync-change Patient (not in the manifest)',
    ]);
    expect(server.of<Bot>('Bot')[0]).not.toHaveProperty('cronString', '*/5 * * * *');
  });
});

describe('undeploying', () => {
  const undeploy = async (server: Fake): Promise<void> => {
    const found = await gather(server, systems, false);
    await apply({ server, systems, projectId: 'p', bundles: [] }, found, planUndeploy(found), () => undefined);
  };

  test('leaves nothing, and a second run does nothing', async () => {
    const server = await deployed();
    await undeploy(server);
    expect([...server.rows.keys()]).toEqual([]);
    server.writes.length = 0;
    await undeploy(server);
    expect(server.writes).toEqual([]);
  });

  test('keeps a policy that people have: without it they would be locked out', async () => {
    const server = await deployed();
    const policy = server.of<AccessPolicy>('AccessPolicy').find(({ name }) => name?.endsWith('ADMIN'))!;
    await server.create<ProjectMembership>({
      resourceType: 'ProjectMembership',
      project: {},
      user: { reference: 'User/1' },
      profile: {},
      accessPolicy: { reference: `AccessPolicy/${policy.id}` },
    });
    await undeploy(server);
    expect([...server.rows.keys()]).toEqual([
      `AccessPolicy/${policy.id}`,
      expect.stringContaining('ProjectMembership/'),
    ]);
    expect(policiesInUse([], await gather(server, systems))).toHaveLength(1);
  });
});

describe('a failure', () => {
  test('stops the run at its step; the next run goes on from there', async () => {
    const server = fakeServer();
    server.broken.set('create Subscription', 'refused');
    await expect(deploy(server)).rejects.toMatchObject({ status: 400, remedy: 'repair it' });
    expect(server.of('Bot')).toHaveLength(2);
    server.broken.clear();
    expect([...new Set((await deploy(server)).map(({ kind }) => kind))]).toEqual(['subscription', 'schedule']);
  });

  test('an upload that was answered with success and has no effect is found out', async () => {
    const server = fakeServer();
    server.broken.set('deploy Bot', 'ignored');
    await expect(deploy(server, { runtime: 'awslambda' })).rejects.toThrow('does not run version 1 after its upload');
    expect(server.of('Subscription')).toEqual([]);
  });

  test('a write that was answered with success and is not there shows in the plan afterwards', async () => {
    const server = fakeServer();
    server.broken.set('create Subscription', 'ignored');
    await deploy(server);
    expect((await planOf(server)).map(({ kind }) => kind)).toEqual(['subscription', 'subscription']);
  });
});
