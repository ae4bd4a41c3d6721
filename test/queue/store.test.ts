/** The queue against a store that keeps versions as the server does, with others who write in between, and answers that are lost. */
import type { Task } from '@medplum/fhirtypes';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Random, SourceFhir } from '../../src/ports.ts';
import type { QueueDeps } from '../../src/queue/deps.ts';
import { stateOf } from '../../src/queue/job.ts';
import type { Order } from '../../src/queue/job.ts';
import { clean } from '../../src/queue/retention.io.ts';
import { claim, enqueue, settle } from '../../src/queue/store.io.ts';

const systems = systemsOf();
const NOW = Date.parse('2026-03-04T05:06:07Z');
const order = (id: string, at = NOW): Order => ({ type: 'x-sync', key: `X/${id}`, patient: 'Patient/1', at });
const lease = { run: 'run-1', until: NOW + 60_000 };

let tasks: Map<string, Task>;
/** Runs before the next change, once each. */
let meanwhile: (() => void)[];
let losesAnswer: boolean;
let changes: number;
let now: number;

const put = (task: Task): Task => {
  const saved = { ...task, meta: { versionId: String(Number(task.meta?.versionId ?? 0) + 1) } };
  tasks.set(`${task.id}`, saved);
  return saved;
};
const nameOf = (task: Task): string | undefined => task.identifier?.[0]?.value;
const byName = (name: string): Task => [...tasks.values()].find((task) => nameOf(task) === name) as Task;
const job = (id: string): Task => byName(`job-x-sync-X/${id}`);

const source: Pick<SourceFhir, 'enlist' | 'change' | 'dismiss' | 'search'> = {
  enlist: async (task) => byName(`${nameOf(task)}`) ?? put({ ...task, id: `t${tasks.size + 1}` }),
  async change(all) {
    changes++;
    meanwhile.shift()?.();
    if (all.some((task) => tasks.get(`${task.id}`)?.meta?.versionId !== task.meta?.versionId)) {
      return undefined;
    }
    const saved = all.map(put);
    if (losesAnswer) {
      losesAnswer = false;
      // The client sends a transaction again whose answer it did not get, and then it is too late.
      return undefined;
    }
    return saved;
  },
  dismiss: async (all) => all.forEach(({ id }) => tasks.delete(`${id}`)),
  async search(url) {
    const ids = /_id=([^&]+)/.exec(url)?.[1]?.split(',');
    const status = /status=([a-z]+)/.exec(url)?.[1];
    const found = [...tasks.values()].filter((task) => ids?.includes(`${task.id}`) ?? task.status === status);
    return { resourceType: 'Bundle', type: 'searchset', entry: found.map((resource) => ({ resource })) };
  },
};

const deps = {
  source,
  clock: { now: () => now, sleep: () => Promise.resolve() },
  random: { unit: () => 0.5, uuid: () => 'u' },
  config: { systems, queue: { concurrency: 5, jobsPerSecond: 10, attempts: 3 } },
} as unknown as QueueDeps & { random: Random };

beforeEach(() => {
  tasks = new Map();
  meanwhile = [];
  losesAnswer = false;
  changes = 0;
  now = NOW;
});

async function three(): Promise<Task[]> {
  for (const id of ['1', '2', '3']) {
    await enqueue(deps, order(id));
  }
  return [...tasks.values()];
}

test('a burst of orders for one record is one job and one write', async () => {
  await Promise.all(Array.from({ length: 20 }, () => enqueue(deps, order('1'))));
  expect(tasks.size).toBe(1);
  expect(changes).toBe(0);
});

test('an order whose job changes in the same moment is merged into what it has become', async () => {
  await enqueue(deps, order('1', NOW + 1000));
  meanwhile.push(() => put({ ...job('1'), status: 'completed' }));
  await enqueue(deps, order('1'));
  expect(job('1')).toMatchObject({ status: 'requested' });
  expect(stateOf(systems, job('1')).dueAt).toBe(NOW);
});

describe('a claim', () => {
  test('in which one job has changed does not lose the others', async () => {
    const jobs = await three();
    meanwhile.push(() =>
      put({ ...job('2'), status: 'in-progress', executionPeriod: { start: '2027-01-01T00:00:00Z' } })
    );
    const ours = await claim(deps, jobs, lease);
    expect(ours.map(({ id }) => id)).toEqual(['t1', 't3']);
    expect(stateOf(systems, job('2')).run).toBeUndefined();
  });

  test('whose answer is lost is ours all the same', async () => {
    const jobs = await three();
    losesAnswer = true;
    expect((await claim(deps, jobs, lease)).map(({ id }) => id)).toEqual(['t1', 't2', 't3']);
  });

  test('of two runs at once gives each job to one', async () => {
    const jobs = await three();
    const [one, two] = await Promise.all([claim(deps, jobs, lease), claim(deps, jobs, { ...lease, run: 'run-2' })]);
    expect([...one, ...two].map(({ id }) => id).sort()).toEqual(['t1', 't2', 't3']);
  });
});

describe('settling', () => {
  test('leaves to others what is theirs by now, and finishes the rest', async () => {
    const ours = await claim(deps, await three(), lease);
    now = lease.until;
    meanwhile.push(() => put({ ...job('2'), groupIdentifier: { value: 'run-2' } }));
    await settle(deps, 'run-1', new Map(ours.map((task) => [task, { kind: 'done' as const }])));
    expect([job('1').status, job('2').status, job('3').status]).toEqual(['completed', 'in-progress', 'completed']);
  });

  test('keeps an order that came while the work went on', async () => {
    const ours = await claim(deps, await three(), lease);
    await enqueue(deps, order('2', NOW + 5));
    await settle(deps, 'run-1', new Map(ours.map((task) => [task, { kind: 'done' as const }])));
    expect([job('1').status, job('2').status, job('3').status]).toEqual(['completed', 'requested', 'completed']);
    expect(stateOf(systems, job('2')).dueAt).toBe(NOW + 5);
  });
});

describe('retention', () => {
  const end = (status: Task['status']): void => [...tasks.values()].forEach((task) => void put({ ...task, status }));

  test('removes what is over, and tells of what has failed before it goes', async () => {
    await three();
    end('failed');
    const told: string[] = [];
    const removed = await clean(deps, NOW + 1, async (failed) => {
      told.push(...failed.map(({ id }) => `${id}${tasks.has(`${id}`) ? '' : ' gone'}`));
    });
    expect(removed).toEqual({ completed: 0, cancelled: 0, failed: 3 });
    expect(told).toEqual(['t1', 't2', 't3']);
    expect(tasks.size).toBe(0);
  });

  test('does not remove a job that is wanted anew in the same moment', async () => {
    await three();
    end('completed');
    meanwhile.push(() => put({ ...job('2'), status: 'requested' }));
    expect(await clean(deps, NOW + 1, () => Promise.resolve())).toMatchObject({ completed: 2 });
    expect([...tasks.values()]).toMatchObject([
      { id: 't2', status: 'requested', identifier: [{ value: 'job-x-sync-X/2' }] },
    ]);
  });

  test('an order that comes while its job goes makes a new one', async () => {
    await three();
    end('completed');
    let isIn: Promise<void> | undefined;
    const dismiss = source.dismiss;
    source.dismiss = async (all) => {
      isIn ??= enqueue(deps, order('2'));
      await isIn;
      await dismiss(all);
    };
    await clean(deps, NOW + 1, () => Promise.resolve());
    source.dismiss = dismiss;
    expect([...tasks.values()]).toMatchObject([{ status: 'requested', identifier: [{ value: 'job-x-sync-X/2' }] }]);
  });
});
