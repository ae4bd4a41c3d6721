/** Plays a whole history, lets its faults stop, and says what is not as it must be. */
import { buildBots } from '../../../scripts/build.ts';
import type { BuiltBot } from '../../../scripts/build.ts';
import { createProxy } from '../../../scripts/sandbox/proxy.ts';
import type { Passed, Proxy } from '../../../scripts/sandbox/proxy.ts';
import { createWorld, expected, held } from '../../support/world.ts';
import type { World } from '../../support/world.ts';
import { must } from './broken.ts';
import { everyEffectAudited, namesOfCopies } from './effects.ts';
import { drainAll, noJobLost, retryDeadLetters } from './jobs.ts';
import { play } from './play.ts';
import type { Ward } from './play.ts';
import { noHistoryLeft, noSecretIn } from './secrets.ts';
import { OLD_KEY, reconfigure, switchQueue } from './settings.ts';
import type { Circumstances, History, Step } from './step.ts';
import { watched } from './watchdog.ts';
import type { Pulse } from './watchdog.ts';

/** A stalled request that lands after an erasure is met by the second look, ten minutes later (`flows/sync/timer.ts`). */
const SECOND_LOOK_MS = 11 * 60_000;

/** What was seen in a history, to know whether the histories are worth anything. */
export interface Seen {
  /** Dead letters that a person had tried again. */
  readonly deadLetters: number;
  readonly jobs: number;
  readonly requests: number;
  /** Whether the breaker opened. */
  readonly hasOpened: boolean;
}

/**
 * @param history - What happens, and under which circumstances.
 * @returns What was seen.
 * @throws Broken when an invariant does not hold, Hangs when nothing happens any more.
 */
export async function live({ circumstances, steps }: History): Promise<Seen> {
  const { profile } = circumstances;
  const world = await createWorld(
    { profile, built: await builtFor(profile), settings: { PSEUDONYM_KEY: OLD_KEY } },
    { isLapsing: true }
  );
  const { source, replica, clock } = world.sandbox;
  const [toReplica, toSource] = await Promise.all([
    createProxy(replica.baseUrl, clock),
    createProxy(source.baseUrl, clock),
  ]);
  const passed: Passed[] = [];
  let toSourceCount = 0;
  toReplica.onRequest((request) => passed.push(request));
  toSource.onRequest(() => toSourceCount++);
  const pulse: Pulse = {
    beats: () => passed.length + toSourceCount + source.botRuns.length,
    describe: () => describe(world, passed),
  };
  try {
    return await watched(liveIn(world, { toReplica, toSource }, { circumstances, steps }, passed), pulse);
  } finally {
    await Promise.all([toReplica.close(), toSource.close()]);
    await world.close();
  }
}

/** What lies between the bots and the two servers. */
interface Between {
  readonly toReplica: Proxy;
  readonly toSource: Proxy;
}

async function liveIn(
  world: World,
  { toReplica, toSource }: Between,
  { circumstances, steps }: History,
  passed: readonly Passed[]
): Promise<Seen> {
  const { source, replica } = world.sandbox;
  source.showBots(toSource.baseUrl);
  await reconfigure(world, { REPLICA_BASE_URL: toReplica.baseUrl });
  if (circumstances.hasEraser) {
    const { id, secret } = await replica.createClient('eraser', { admin: true });
    await reconfigure(world, { ERASER_CLIENT_ID: id, ERASER_CLIENT_SECRET: secret });
  }
  const nameOf = namesOfCopies(world);
  const ward: Ward = {
    world,
    toReplica,
    toSource,
    cases: [],
    observations: [],
    consents: [],
    meanwhile: [],
    disarm: [],
  };
  for (const one of steps) {
    await play(ward, one);
  }
  await calm(ward, steps);

  const deadLetters = await retryDeadLetters(world);
  const swept = (await world.sweep()) as { status: number; body: { isComplete?: boolean } };
  must(swept.status === 200 && swept.body.isComplete === true, `the sweep after all faults: ${JSON.stringify(swept)}`);
  await drainAll(world);
  const [is, should] = [await held(world), await expected(world)];
  must(
    JSON.stringify(is) === JSON.stringify(should),
    `the replica is not what source and Consents make of it: ${difference(is, should)}`
  );
  await noJobLost(world);
  noSecretIn(world, passed);
  await everyEffectAudited(world, passed, nameOf);
  if (circumstances.hasEraser) {
    noHistoryLeft(world);
  }
  const hasOpened = source.botRuns.some(({ output }) => output.includes('breaker-opened'));
  return { deadLetters, jobs: source.store.table('Task').rows.size, requests: passed.length, hasOpened };
}

/** Who runs, what holds the clock, and the last requests. */
function describe({ sandbox: { source, clock } }: World, passed: readonly Passed[]): string {
  const last = passed.slice(-5).map(({ method, url, mishap, status }) => `${method} ${url} ${mishap ?? status ?? '…'}`);
  return `running ${source.running.join(', ') || 'nobody'}; the clock is ${clock.lapse?.describe()}; last to the replica: ${last.join(', ')}`;
}

const building = new Map<Circumstances['profile'], Promise<BuiltBot[]>>();

/** Once per process: a history takes less than a build. */
function builtFor(profile: Circumstances['profile']): Promise<BuiltBot[]> {
  const built = building.get(profile) ?? buildBots({ profile });
  building.set(profile, built);
  return built;
}

/** All faults stop, and what was begun under them ends. */
async function calm(
  { world, toReplica, toSource, meanwhile, disarm, cases }: Ward,
  steps: readonly Step[]
): Promise<void> {
  const { source, replica, clock } = world.sandbox;
  const proxies: readonly Proxy[] = [toReplica, toSource];
  await world.settle();
  disarm.forEach((stop) => stop());
  await Promise.all(meanwhile);
  proxies.forEach((proxy) => proxy.clear());
  source.faults.clear();
  replica.faults.clear();
  replica.quota.limit = undefined;
  await Promise.all(proxies.map((proxy) => proxy.idle()));
  await world.settle();
  const kinds = new Set(steps.map(({ kind }) => kind));
  if (kinds.has('pause')) {
    await switchQueue(world, false);
  }
  if (kinds.has('rotate')) {
    // What the nightly reconciliation does: it looks at everything of everybody.
    for (const { patient } of cases) {
      await source.repo.updateResource({ ...patient, maritalStatus: { text: 'looked at' } });
    }
    await world.settle();
  }
  if (steps.some((step) => 'name' in step && step.name === 'slow-request')) {
    await clock.advance(SECOND_LOOK_MS);
  }
  // A quota counts in minutes.
  await clock.advance(60_000);
}

function difference(is: readonly string[], should: readonly string[]): string {
  const only = (these: readonly string[], those: readonly string[]): string[] => {
    const left = [...those];
    return these.filter((one) => {
      const at = left.indexOf(one);
      return at < 0 ? true : (left.splice(at, 1), false);
    });
  };
  return `too much ${JSON.stringify(only(is, should))}, missing ${JSON.stringify(only(should, is))}`;
}
