/** What a caller may ask of the mirror. Pure. */
import { Fault } from '../../observability/fault.ts';

export interface MirrorAsk {
  /** How many events to store at most; undefined: all there are. */
  readonly limit: number | undefined;
  /** From when on to look, instead of from the watermark; milliseconds since the epoch. */
  readonly forceSince: number | undefined;
}

/**
 * @param input - What the caller sent; anything but an object asks for nothing in particular.
 * @returns The ask.
 * @throws Fault `input-invalid`
 */
export function readMirrorAsk(input: unknown): MirrorAsk {
  const { limit, forceSince } = (input ?? {}) as { limit?: unknown; forceSince?: unknown };
  const since = typeof forceSince === 'string' ? Date.parse(forceSince) : undefined;
  const problems = [
    ...(limit !== undefined && (!Number.isInteger(limit) || (limit as number) < 1)
      ? ['limit must be a positive whole number']
      : []),
    ...(forceSince !== undefined && (since === undefined || Number.isNaN(since))
      ? ['forceSince must be an ISO 8601 instant']
      : []),
  ];
  if (problems.length > 0) {
    throw new Fault('input-invalid', problems);
  }
  return { limit: limit as number | undefined, forceSince: since };
}
