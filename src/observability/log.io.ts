/**
 * One JSON line per event. Medplum stores what a bot prints in `AuditEvent.outcomeDesc`, so a line is a stored resource:
 * event and field names come from closed lists, and a text value must look like a code or an id that we minted.
 */
import type { Clock, Log } from '../ports.ts';

/** What a text may look like: a type, a token that we minted, or a code of ours. A name or a date is none of these. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  resourceType: /^[A-Z][A-Za-z]{2,40}$/,
  token: /^[a-z]{2,4}_[A-Za-z0-9_-]{8,64}$/,
};
const CODE = /^[a-z][a-z0-9]*(-[A-Za-z0-9]+)*$/;

/**
 * A log that prints.
 *
 * @param clock - For timestamps.
 * @param correlationId - Of this run; in every line.
 * @returns The log.
 */
export function consoleLog(clock: Clock, correlationId: string): Log {
  return (level, event, fields = {}) => {
    const line: Record<string, unknown> = {
      timestamp: new Date(clock.now()).toISOString(),
      level,
      service: 'medplum-consent-sync',
      event,
      correlationId,
    };
    for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
      line[name] = isSafe(name, value) ? value : 'unsafe';
    }
    console.log(JSON.stringify(line));
  };
}

function isSafe(name: string, value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && (SHAPES[name] ?? CODE).test(value));
}
