import type { Task } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { InstallOptions } from '../../scripts/install.ts';
import { basicOf } from '../../src/queue/control.ts';
import { taskOf } from '../../src/queue/job.ts';
import { createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.close();
});

const again = async (settings: NonNullable<InstallOptions['settings']>): Promise<void> => {
  await world.close();
  world = await createWorld({ settings });
};

async function ask(
  input?: Record<string, string>,
  method = 'POST'
): Promise<{ status: number; body: unknown; ms: number }> {
  const { source } = world.sandbox;
  const operator = await source.createClient('operator', { admin: true });
  const authorization = `Basic ${Buffer.from(`${operator.id}:${operator.secret}`).toString('base64')}`;
  const query = new URLSearchParams({ identifier: `${systemsOf().bot}|health`, ...(method === 'GET' && input) });
  const started = performance.now();
  const answer = await fetch(`${source.baseUrl}fhir/R4/Bot/$execute?${query.toString()}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(method === 'POST' && { body: JSON.stringify(input ?? {}) }),
  });
  return { status: answer.status, body: await answer.json(), ms: performance.now() - started };
}

const ALL = { source: 'healthy', replica: 'healthy', token: 'healthy', queue: 'healthy', watermarks: 'healthy' };

test('after a sweep all is well, in the shape of the seeds', async () => {
  await world.sweep();
  expect(await ask()).toMatchObject({
    status: 200,
    body: { status: 'healthy', timestamp: expect.stringMatching(/Z$/), checks: ALL },
  });
});

test('before the first sweep the watermarks say so, and it is no failure', async () => {
  expect(await ask()).toMatchObject({
    body: { status: 'degraded', checks: { ...ALL, watermarks: 'degraded' }, reasons: { watermarks: 'never-swept' } },
  });
});

test.each([
  ['live', {}],
  ['ready', { source: 'healthy', replica: 'healthy', token: 'healthy' }],
  ['startup', { source: 'healthy', token: 'healthy' }],
])('%s, by POST and by GET', async (probe, checks) => {
  for (const method of ['POST', 'GET']) {
    const { body } = await ask({ probe }, method);
    expect(body).toMatchObject({ status: 'healthy' });
    expect((body as { checks: unknown }).checks).toEqual(checks);
  }
});

test('another probe is refused with a code', async () => {
  expect(await ask({ probe: 'alive' })).toMatchObject({ status: 400, body: { issue: [{ code: 'invalid' }, {}] } });
});

describe('when the replica is not there', () => {
  test.each(['cut', 'unavailable'] as const)('%s: the answer is 200 and says so', async (down) => {
    world.sandbox.replica.faults.down = down;
    await world.sweep();
    const reasons = { replica: 'replica-unavailable', token: 'replica-unavailable' };
    expect(await ask()).toMatchObject({
      status: 200,
      body: {
        status: 'unhealthy',
        checks: { source: 'healthy', queue: 'healthy', replica: 'unhealthy', token: 'unhealthy' },
        reasons,
      },
    });
    expect(await ask({ probe: 'live' })).toMatchObject({ body: { status: 'healthy' } });
  });

  test('it hangs: the answer comes after two seconds all the same', async () => {
    world.sandbox.replica.faults.delayMs = 8000;
    const { body, ms } = await ask({ probe: 'ready' });
    expect(body).toMatchObject({
      status: 'unhealthy',
      checks: { source: 'healthy' },
      reasons: { replica: 'deadline', token: 'deadline' },
    });
    expect(ms).toBeGreaterThan(1900);
    expect(ms).toBeLessThan(4000);
  });

  test('it is another kind of server', async () => {
    world.sandbox.replica.faults.failNext({ url: 'metadata' }, { status: 404 });
    expect(await ask({ probe: 'ready' })).toMatchObject({
      body: { checks: { replica: 'unhealthy', token: 'healthy' }, reasons: { replica: 'replica-rejected' } },
    });
  });
});

test('a wrong secret, or one of another project, is a matter of the token', async () => {
  await again({ REPLICA_CLIENT_SECRET: 'wrong' });
  expect(await ask({ probe: 'ready' })).toMatchObject({
    body: { checks: { replica: 'healthy' }, reasons: { token: 'replica-unauthorised' } },
  });
  await again({ REPLICA_PROJECT_ID: 'another' });
  expect(await ask({ probe: 'ready' })).toMatchObject({ body: { reasons: { token: 'replica-wrong-project' } } });
});

test('with HTTP Basic, a wrong secret is found as well', async () => {
  await again({ REPLICA_AUTH: 'basic' });
  expect(await ask({ probe: 'startup' })).toMatchObject({ body: { status: 'healthy' } });
  await again({ REPLICA_AUTH: 'basic', REPLICA_CLIENT_SECRET: 'wrong' });
  expect(await ask({ probe: 'startup' })).toMatchObject({ body: { reasons: { token: 'replica-unauthorised' } } });
});

test('without settings it works, names them, shows no values, and sends nothing to the replica', async () => {
  await again({ PSEUDONYM_KEY: undefined, NAMESPACE: 'hush-hush' });
  const { status, body } = await ask();
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'unhealthy',
    checks: { source: 'healthy', token: 'unhealthy' },
    reasons: { replica: 'settings-invalid' },
  });
  expect((body as { settings: unknown }).settings).toEqual([
    'NAMESPACE must be an absolute URL',
    'PSEUDONYM_KEY is missing',
  ]);
  expect(JSON.stringify(body)).not.toContain('hush');
  expect(world.sent()).toEqual([]);
});

test('when sync is off it says so, and does not ask the replica', async () => {
  await again({ SYNC_ENABLED: 'false' });
  expect(await ask()).toMatchObject({
    body: { status: 'healthy', off: true, checks: { source: 'healthy', queue: 'healthy' } },
  });
  expect(world.sent()).toEqual([]);
});

test('an old job and a late sweep are told, and the rest is not asked again', async () => {
  await world.sweep();
  const { repo } = world.sandbox.source;
  const code = { coding: [{ system: systemsOf().control, code: 'encounter-sync' }] };
  const task: Task = {
    resourceType: 'Task',
    status: 'requested',
    intent: 'order',
    code,
    authoredOn: world.sandbox.clock.iso(),
  };
  await repo.createResource(task);
  await repo.createResource({
    ...task,
    code: { coding: [{ system: 'http://else', code: 'x' }] },
    authoredOn: '2001-01-01T00:00:00Z',
  });
  expect(await ask()).toMatchObject({ body: { status: 'healthy' } });
  await world.sandbox.clock.advance(2 * 3_600_000);
  expect(await ask()).toMatchObject({
    body: { status: 'degraded', reasons: { queue: 'jobs-waiting', watermarks: 'sweep-late' } },
  });
});

test('a pause, an open breaker and dead letters are told', async () => {
  await world.sweep();
  const systems = systemsOf();
  const { repo } = world.sandbox.source;
  const now = world.sandbox.clock.now();
  expect(await ask()).toMatchObject({
    body: { status: 'healthy', queue: { held: false, failed: 0, oldestWaitingSeconds: 0 } },
  });
  const control = await repo.createResource(
    basicOf(systems, { open: { reason: 'replica-unavailable', since: now - 60_000, probeAt: now } })
  );
  expect(await ask()).toMatchObject({
    body: {
      status: 'degraded',
      reasons: { queue: 'breaker-open' },
      queue: { held: 'replica-unavailable', since: new Date(now - 60_000).toISOString() },
    },
  });
  await repo.updateResource({ ...basicOf(systems, { pausedAt: now }), id: control.id });
  const order = { type: 'observation-sync', key: 'x', patient: 'Patient/x', at: now, isDead: true };
  await repo.createResource(taskOf(systems, order, now));
  await repo.createResource(taskOf(systems, { ...order, key: 'y', at: now - 90_000, isDead: false }, now));
  expect(await ask()).toMatchObject({
    body: { reasons: { queue: 'queue-paused' }, queue: { held: 'paused', failed: 1 } },
  });
  const { queue } = (await ask()).body as { queue: { oldestWaitingSeconds: number } };
  expect(queue.oldestWaitingSeconds).toBeGreaterThanOrEqual(90);
  await repo.updateResource({ ...basicOf(systems, {}), id: control.id });
  expect(await ask()).toMatchObject({ body: { reasons: { queue: 'jobs-failed' }, queue: { held: false } } });
});

test('it reads, and neither writes nor sees records', async () => {
  world.asked();
  await ask();
  expect(
    world
      .asked()
      .map(({ method, url }) => `${method} ${new URL(url, 'http://x').pathname}`)
      .sort()
  ).toEqual(['GET /fhir/R4/Basic', 'GET /fhir/R4/Basic', 'GET /fhir/R4/Task', 'GET /fhir/R4/Task']);
});
