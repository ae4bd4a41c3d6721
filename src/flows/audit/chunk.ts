/** How much goes into one transaction. Pure. */
import type { AuditEvent } from '@medplum/fhirtypes';

/** One event to store, and the `lastUpdated` up to which everything is stored once it is. */
export interface Pending {
  /** The event of the replica. */
  readonly origin: AuditEvent;
  readonly event: AuditEvent;
}

/** 200 creates in one transaction were seen to pass (`platform.md` §11.5); a body may have 1 MiB (§9.5). */
const MOST_EVENTS = 200;
const MOST_CHARACTERS = 800_000;

/**
 * @param all - Events in order.
 * @returns The same in the same order, in parts that fit one transaction each.
 */
export function chunksOf(all: readonly Pending[]): Pending[][] {
  const chunks: Pending[][] = [];
  let size = 0;
  for (const pending of all) {
    const length = JSON.stringify(pending.event).length;
    const last = chunks.at(-1);
    if (last && last.length < MOST_EVENTS && size + length <= MOST_CHARACTERS) {
      last.push(pending);
      size += length;
    } else {
      chunks.push([pending]);
      size = length;
    }
  }
  return chunks;
}
