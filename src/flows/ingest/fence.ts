/**
 * The fence of a sender: a Basic that every transaction of theirs replaces under `If-Match`. So two requests of one sender cannot make one record
 * twice, though plain creates have no condition (Medplum takes eight entries at most in a transaction with one, `platform.md` §11.5), and what a
 * sender has sent in this minute is counted in the same place. Pure.
 */
import type { Basic } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';

/** The window that the rate counts in. */
const WINDOW_MS = 60_000;

/** What a fence says. */
export interface Fence {
  readonly id: string;
  readonly versionId: string;
  /** Since when it counts, and how much: in milliseconds since the epoch, and entries. */
  readonly since: number;
  readonly count: number;
}

/**
 * @param systems - Our systems.
 * @param organizationId - Of the sender.
 * @param state - What it says, and the run that says it: a replacement that changes nothing would make no version.
 * @returns The Basic.
 */
export function fenceBasic(
  systems: Systems,
  organizationId: string,
  state: { readonly since: number; readonly count: number; readonly run: string }
): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.ingestSender, value: organizationId }],
    code: { coding: [{ system: systems.control, code: 'ingest-sender' }] },
    extension: [{ url: systems.ingestSender, valueString: JSON.stringify(state) }],
  };
}

/**
 * @param systems - Our systems.
 * @param basic - A stored fence.
 * @returns What it says; what cannot be read counts from now on.
 */
export function fenceOf(systems: Systems, basic: Basic): Fence {
  const text = basic.extension?.find(({ url }) => url === systems.ingestSender)?.valueString ?? '';
  const [, since, count] = /"since":(\d{1,15}),"count":(\d{1,9})/.exec(text) ?? [];
  return {
    id: basic.id ?? '',
    versionId: basic.meta?.versionId ?? '',
    since: Number(since ?? 0),
    count: Number(count ?? 0),
  };
}

/**
 * Counts what is sent.
 *
 * @param fence - What is counted so far.
 * @param entries - How many are sent now.
 * @param limit - How many may be in a minute.
 * @param now - The instant, in milliseconds since the epoch.
 * @returns The new count; or after how many seconds there is room.
 */
export function counted(
  fence: Pick<Fence, 'since' | 'count'>,
  entries: number,
  limit: number,
  now: number
): { readonly since: number; readonly count: number } | { readonly retryAfterSeconds: number } {
  const isOver = now - fence.since >= WINDOW_MS || now < fence.since;
  const { since, count } = isOver ? { since: now, count: 0 } : fence;
  return count + entries > limit
    ? { retryAfterSeconds: Math.max(1, Math.ceil((since + WINDOW_MS - now) / 1000)) }
    : { since, count: count + entries };
}
