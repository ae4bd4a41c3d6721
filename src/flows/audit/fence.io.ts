/** The mirror's state as one run holds it: taken by lease, written under `If-Match`, lost as soon as another run writes. */
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';
import type { MirrorDeps } from './deps.ts';
import { NEW_STATE, stateBasic, stateOf, stateSearch } from './state.ts';
import type { MirrorState } from './state.ts';

/** What a run holds. */
export interface Fence {
  readonly id: string;
  readonly versionId: string;
  readonly state: MirrorState;
}

/** A crashed run is believed to be at work for this long; a live one renews its lease with each transaction. */
const LEASE_MS = 5 * 60_000;

/**
 * @param deps - The run.
 * @returns The state as it is now; made if there is none.
 */
export async function readFence({ source, config }: MirrorDeps): Promise<Fence> {
  const { systems } = config;
  // By `read`, so that the access token comes along with it; by search, so that it does not come from the server's cache.
  const [answer] = await source.read([stateSearch(systems)]);
  if (answer?.resource?.resourceType !== 'Bundle') {
    throw new Fault('source-incomplete', [`status ${answer?.status}`]);
  }
  const saved =
    (answer.resource.entry?.[0]?.resource as Basic | undefined) ??
    (await source.ensure(stateBasic(systems, NEW_STATE)));
  return { id: saved.id ?? '', versionId: saved.meta?.versionId ?? '', state: stateOf(systems, saved) };
}

/**
 * @param deps - The run.
 * @returns The fence with our lease in it; undefined when another run has it.
 */
export async function claim(deps: MirrorDeps): Promise<Fence | undefined> {
  const fence = await readFence(deps);
  const { lease } = fence.state;
  if (lease && lease.holder !== deps.correlationId && Date.parse(lease.until) > deps.clock.now()) {
    return undefined;
  }
  return commit(deps, fence, fence.state, []);
}

/**
 * Stores events and state together.
 *
 * @param deps - The run.
 * @param fence - What the run holds.
 * @param state - The state from now on; the lease is renewed.
 * @param events - The events.
 * @returns The fence from now on; undefined when somebody else has written since, and nothing was stored.
 */
export async function commit(
  deps: MirrorDeps,
  fence: Fence,
  state: MirrorState,
  events: readonly AuditEvent[]
): Promise<Fence | undefined> {
  const until = new Date(deps.clock.now() + LEASE_MS).toISOString();
  return write(deps, fence, { ...state, lease: { holder: deps.correlationId, until } }, events);
}

/**
 * Gives the lease back.
 *
 * @param deps - The run.
 * @param fence - What the run holds.
 * @param state - The state from now on, without a lease.
 * @returns Undefined when somebody else has written since.
 */
export async function release(deps: MirrorDeps, fence: Fence, state: MirrorState): Promise<Fence | undefined> {
  return write(deps, fence, { ...state, lease: undefined }, []);
}

async function write(
  { source, config }: MirrorDeps,
  { id, versionId }: Fence,
  state: MirrorState,
  events: readonly AuditEvent[]
): Promise<Fence | undefined> {
  const next = await source.append({ ...stateBasic(config.systems, state), id }, versionId, events);
  return next === undefined ? undefined : { id, versionId: next, state };
}
