/** Which checks a caller asks for, after Kubernetes: alive, ready for work, started. Pure. */
import { CHECKS } from './judge.ts';
import type { CheckName } from './judge.ts';

const PROBES = {
  /** The bot runs and answers; nothing else is asked. */
  live: [],
  /** Work that comes now could be done. */
  ready: ['source', 'replica', 'token'],
  /** What has to be there once, after a deployment. */
  startup: ['source', 'token'],
  all: CHECKS,
} as const satisfies Record<string, readonly CheckName[]>;

/**
 * Reads the parameter `probe`, of a POST body or a GET query.
 *
 * @param input - What the caller sent.
 * @returns The checks to make; all of them without the parameter; undefined for an unknown one.
 */
export function checksOf(input: unknown): readonly CheckName[] | undefined {
  const probe = (input as { probe?: unknown } | null | undefined)?.probe ?? 'all';
  return typeof probe === 'string' && Object.hasOwn(PROBES, probe) ? PROBES[probe as keyof typeof PROBES] : undefined;
}
