/** What the partner is asked for, and when: FHIR Bulk Data Access 2.0. Pure. */
import type { Partner } from '../../../config/partner.ts';
import type { LastPull, PullScope, PullState } from './state.ts';

/** A pull that failed is tried anew after a day, whatever the interval is. */
const AGAIN_MS = 86_400_000;
const FIRST_WAIT_MS = 5000;
const MOST_WAIT_MS = 600_000;
const FIRST_PAUSE_MS = 30_000;
const MOST_PAUSE_MS = 3_600_000;

/**
 * The kick-off request ("Bulk Data Kick-off Request").
 *
 * @param scope - What is asked for.
 * @param typeFilter - `_typeFilter`, if one is set.
 * @returns A URL relative to the FHIR endpoint.
 */
export function kickOffUrl({ exports, types, since }: PullScope, typeFilter: string | undefined): string {
  const query = new URLSearchParams({ _outputFormat: 'application/fhir+ndjson', _type: types.join(',') });
  if (since !== undefined) {
    query.append('_since', since);
  }
  if (typeFilter !== undefined) {
    query.append('_typeFilter', typeFilter);
  }
  return `${exports === 'system' ? '' : `${exports}/`}$export?${query.toString()}`;
}

/**
 * What the next pull asks for. Rows become visible late and servers stamp an export at its begin or its end, so it goes back to the earlier of both
 * instants and a little further: what comes twice is taken once. After a change of what is pulled, everything is.
 *
 * @param partner - The settings.
 * @param last - The last pull that ended well.
 * @param overlapMs - How far to go back.
 * @returns The scope.
 */
export function nextScope({ exports, types }: Partner, last: LastPull | undefined, overlapMs: number): PullScope {
  const isSame = last?.exports === exports && types.every((type) => last.types.includes(type));
  if (!last || !isSame) {
    return { exports, types };
  }
  const from = Math.min(Date.parse(last.transactionTime), last.startedAt) - overlapMs;
  return { exports, types, since: new Date(from).toISOString() };
}

/**
 * @param state - The last pull, if there was one.
 * @param partner - The settings.
 * @param now - Milliseconds since the epoch.
 * @returns Whether the next one begins.
 */
export function isDue(state: PullState | undefined, { pullEveryMs }: Partner, now: number): boolean {
  if (!state) {
    return true;
  }
  const again = state.phase === 'failed' ? Math.min(pullEveryMs, AGAIN_MS) : pullEveryMs;
  return now - state.startedAt >= again;
}

/**
 * @param asked - What the partner asks to wait, in milliseconds, if it does.
 * @param sinceStartMs - How long it has been preparing the export.
 * @returns How long to wait before it is asked again: a tenth of what it has taken so far where it does not say.
 */
export function pollWait(asked: number | undefined, sinceStartMs: number): number {
  const own = Math.max(FIRST_WAIT_MS, sinceStartMs / 10);
  return Math.min(MOST_WAIT_MS, Math.max(1000, asked ?? own));
}

/**
 * @param failures - How often it failed, one after the other, from 1.
 * @param asked - What the partner asks to wait, if it does.
 * @returns How long to wait: half a minute, doubling, at most an hour.
 */
export function pauseAfter(failures: number, asked: number | undefined): number {
  return Math.min(MOST_PAUSE_MS, Math.max(asked ?? 0, FIRST_PAUSE_MS * 2 ** (failures - 1)));
}
