/** Where the next page of the replica's trail begins. Pure. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';

/** From which instant on, and how many rows after that. */
export interface Place {
  readonly since: string | undefined;
  readonly offset: number;
}

const PAGE = 1000;
/** The server refuses more (`platform.md` §5.5). */
const MAX_OFFSET = 10_000;

/**
 * The next page begins with the last instant of this one, whose rows may not all have been on it. Only a page that holds nothing
 * but one instant goes on by offset.
 *
 * @param place - Where this page began.
 * @param page - Its rows, in the order of (`lastUpdated`, `id`).
 * @returns Where to go on; undefined at the end.
 * @throws Fault `replica-rejected` when more than eleven thousand events share one millisecond: none is passed over.
 */
export function nextPlace(place: Place, page: readonly AuditEvent[]): Place | undefined {
  if (page.length < PAGE) {
    return undefined;
  }
  const [first, last] = [page[0]?.meta?.lastUpdated, page.at(-1)?.meta?.lastUpdated];
  if (first !== last) {
    return { since: last, offset: 0 };
  }
  const offset = (place.since === first ? place.offset : 0) + PAGE;
  if (offset > MAX_OFFSET) {
    throw new Fault('replica-rejected', ['too many events in one millisecond']);
  }
  return { since: first, offset };
}
