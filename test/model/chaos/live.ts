/** Plays a whole history, lets its faults stop, and says what is not as it must be. */
import type { AuditEvent, Bundle, Resource } from '@medplum/fhirtypes';
import { createProxy } from '../../../scripts/sandbox/proxy.ts';
import type { Passed } from '../../../scripts/sandbox/proxy.ts';
import { REPLICATED_TYPES } from '../../../src/config/policy.ts';
import { all, createWorld, expected, held } from '../../support/world.ts';
import type { World } from '../../support/world.ts';
import { play, FAMILY } from './play.ts';
import type { Ward } from './play.ts';
import type { Step } from './step.ts';

/** A stalled request that lands after an erasure is met by the second look, ten minutes later (`flows/sync/timer.ts`). */
const SECOND_LOOK_MS = 11 * 60_000;

/** An invariant that did not hold. */
export class Broken extends Error {}

/**
 * @param steps - What happens.
 * @throws Broken when an invariant does not hold.
 */
export async function live(steps: readonly Step[]): Promise<void> {
  const world = await createWorld({}, { isLapsing: true });
  const { source, replica, clock } = world.sandbox;
  const [toReplica, toSource] = await Promise.all([
    createProxy(replica.baseUrl, clock),
    createProxy(source.baseUrl, clock),
  ]);
  try {
    source.showBots(toSource.baseUrl);
    await point(world, toReplica.baseUrl);
    const passed: Passed[] = [];
    toReplica.onRequest((request) => passed.push(request));
    const ward: Ward = { world, toReplica, toSource, cases: [], observations: [], consents: [], sweeping: [] };
    for (const one of steps) {
      await play(ward, one);
    }
    await world.settle();
    await Promise.all(ward.sweeping);
    toReplica.clear();
    toSource.clear();
    source.faults.clear();
    replica.faults.clear();
    replica.quota.limit = undefined;
    await Promise.all([toReplica.idle(), toSource.idle()]);
    await world.settle();
    if (steps.some((step) => 'name' in step && step.name === 'slow-request')) {
      await clock.advance(SECOND_LOOK_MS);
    }
    // A quota counts in minutes.
    await clock.advance(60_000);

    const swept = (await world.sweep()) as { status: number; body: { failed?: number; isComplete?: boolean } };
    must(
      swept.status === 200 && swept.body.failed === 0 && swept.body.isComplete === true,
      `the sweep after all faults: ${JSON.stringify(swept)}`
    );
    const [is, should] = [await held(world), await expected(world)];
    must(
      JSON.stringify(is) === JSON.stringify(should),
      `the replica is not what source and Consents make of it: ${difference(is, should)}`
    );
    noSecret(passed, await secretsOf(world), world);
    await everyEffectAudited(world, passed);
  } finally {
    await Promise.all([toReplica.close(), toSource.close()]);
    await world.close();
  }
}

function must(isKept: boolean, otherwise: string): void {
  if (!isKept) {
    throw new Broken(otherwise);
  }
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

/** Sends the bots' requests to the replica through the proxy. */
async function point({ sandbox: { source } }: World, url: string): Promise<void> {
  const project = await source.repo.readResource('Project', source.projectId);
  const { secret = [] } = project as { secret?: { name: string; valueString: string }[] };
  const secrets = Object.fromEntries(secret.map(({ name, valueString }) => [name, valueString]));
  await source.setSecrets({ ...secrets, REPLICA_BASE_URL: url });
}

/** What must never be on the wire: names, numbers, and the ids by which the source knows its records. */
async function secretsOf({ sandbox }: World): Promise<string[]> {
  const found = await Promise.all(REPLICATED_TYPES.map((type) => all(sandbox, type, 'source')));
  return [FAMILY, 'Janeway', 'MRN-', 'pulse of a patient', ...found.flat().map(({ id }) => id)];
}

function noSecret(passed: readonly Passed[], secrets: readonly string[], { sandbox }: World): void {
  for (const { method, url, headers, body } of passed) {
    const text = `${url} ${JSON.stringify(headers)} ${body}`;
    must(!secrets.some((secret) => text.includes(secret)), `an identifier is on the wire: ${method} ${url}`);
  }
  for (const { output, bot } of sandbox.source.botRuns) {
    must(!/Quixotepan|Janeway|MRN-/.test(output), `a name is in what ${bot.name} printed`);
  }
}

/** Each copy that was written or removed stands in the trail of a run of that time, whatever became of the run. */
async function everyEffectAudited(world: World, passed: readonly Passed[]): Promise<void> {
  const told = (await world.trail()).flatMap(tellingOf);
  for (const request of passed) {
    for (const token of await tokensOf(world, request)) {
      const isTold = told.some(
        ({ tokens, from, until }) => tokens.has(token) && from <= request.at && request.at <= until
      );
      must(isTold, `not in the trail: ${request.method} ${request.url.slice(0, 60)} of ${token}`);
    }
  }
}

/** An effect is told before it comes, and comes in the same run. */
const RUN_MS = 300_000;

function tellingOf({ period, entity = [] }: AuditEvent): { tokens: ReadonlySet<string>; from: number; until: number } {
  return {
    tokens: new Set(entity.flatMap(({ what }) => what?.identifier?.value ?? [])),
    from: Date.parse(period?.start ?? ''),
    until: Date.parse(period?.end ?? '') + RUN_MS,
  };
}

/** The tokens of the copies that a request has changed. */
async function tokensOf(world: World, { method, url, body, status = 0 }: Passed): Promise<string[]> {
  if (!url.startsWith('/fhir/') || status >= 300 || status < 200 || method === 'GET') {
    return [];
  }
  const path = decodeURIComponent(url.split('/fhir/R4/')[1] ?? '');
  const entries =
    method === 'POST' && path === ''
      ? ((JSON.parse(body) as Bundle).entry ?? []).map(({ request, resource }) => ({
          method: request?.method,
          url: request?.url ?? '',
          resource,
        }))
      : [{ method, url: path, resource: body ? (JSON.parse(body) as Resource) : undefined }];
  const writes = entries.filter((entry) => entry.method !== 'GET' && !entry.url.endsWith('_search'));
  const tokens = await Promise.all(
    writes.map(async (entry) => {
      const own = (entry.resource as { identifier?: { value?: string }[] } | undefined)?.identifier?.[0]?.value;
      const named = /identifier=[^|]*\|([^&]+)/.exec(decodeURIComponent(entry.url))?.[1];
      return own ?? named ?? (await tokenOfId(world, entry.url));
    })
  );
  return tokens.filter((token) => token !== undefined);
}

async function tokenOfId({ sandbox }: World, url: string): Promise<string | undefined> {
  const [type = '', id = ''] = url.split('/');
  const { entry = [] } = await sandbox.replica.repo
    .readHistory(type, id)
    .catch((): Bundle => ({ resourceType: 'Bundle', type: 'history' }));
  const [version] = entry.flatMap(({ resource }) => resource ?? []);
  return (version as { identifier?: { value?: string }[] } | undefined)?.identifier?.[0]?.value;
}
