/**
 * The seal of a day: every event of the trail that the source stored on it, by `meta.lastUpdated` (which only the server sets), in
 * the order of instant and id, each as `instant id hash`, chained, counted and signed, with the hash of the seal before. Pure.
 */
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { createHash } from 'node:crypto';
import { canonical } from '../../fhir/canonical.ts';
import type { Systems } from '../../fhir/systems.ts';
import { contentHash } from '../../observability/event-mac.ts';

/** What is signed of a day. */
export interface DaySeal {
  readonly v: 1;
  /** UTC, `YYYY-MM-DD`. */
  readonly day: string;
  readonly count: number;
  /** The end of the chain over all lines. */
  readonly root: string;
  /** SHA-256 of the text of the seal before; empty for the first. */
  readonly previous: string;
  /** Events whose keyed hash was missing or wrong when the day was sealed. */
  readonly doubtful: number;
  readonly kid: string;
  readonly sealedAt: string;
}

/** A seal as it is kept. */
export interface SignedSeal {
  readonly seal: DaySeal;
  /** What was signed. */
  readonly text: string;
  readonly signature: string;
  /** `Binary/id` of the lines. */
  readonly list: string;
}

const DAY_MS = 86_400_000;

/** @param ms - Milliseconds since the epoch. @returns The UTC day. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** @param day - `YYYY-MM-DD`. @param days - How many later. @returns That day. */
export function dayAfter(day: string, days = 1): string {
  return dayOf(Date.parse(day) + days * DAY_MS);
}

/** @param text - Any text. @returns SHA-256, hexadecimal. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** @param event - A stored event. @returns Its line in the list of its day. */
export function lineOf(event: AuditEvent): string {
  return `${event.meta?.lastUpdated} ${event.id} ${contentHash(event)}`;
}

/**
 * @param day - The day.
 * @param previous - The hash of the seal before.
 * @param lines - The lines of the day in order.
 * @returns The end of the chain: each link is the hash of the link before and of its line.
 */
export function rootOf(day: string, previous: string, lines: readonly string[]): string {
  return lines.reduce((link, line) => sha256(`${link} ${line}`), sha256(`${previous} ${day}`));
}

/** @param seal - A seal. @returns The text to sign. */
export function textOf(seal: DaySeal): string {
  return canonical(seal);
}

/** @param systems - Our systems. @returns A search for all seals, oldest first. */
export function sealsSearch(systems: Systems): string {
  return `Basic?code=${encodeURIComponent(`${systems.control}|audit-seal`)}&_sort=_lastUpdated&_count=1000`;
}

/** @param systems - Our systems. @returns A search for the newest seal. */
export function newestSealSearch(systems: Systems): string {
  return `Basic?code=${encodeURIComponent(`${systems.control}|audit-seal`)}&_sort=-_lastUpdated&_count=1`;
}

/** @param systems - Our systems. @param signed - A seal. @returns The Basic to keep. */
export function sealBasic(systems: Systems, { seal, text, signature, list }: SignedSeal): Basic {
  const url = (name: string): string => `${systems.namespace}/audit-seal-${name}`;
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: `audit-seal-${seal.day}` }],
    code: { coding: [{ system: systems.control, code: 'audit-seal' }] },
    extension: [
      { url: url('text'), valueString: text },
      { url: url('signature'), valueString: signature },
      { url: url('list'), valueString: list },
    ],
  };
}

/** @param systems - Our systems. @param basic - A kept seal. @returns It; undefined when it cannot be read. */
export function sealIn(systems: Systems, basic: Basic): SignedSeal | undefined {
  const of = (name: string): string =>
    basic.extension?.find(({ url }) => url === `${systems.namespace}/audit-seal-${name}`)?.valueString ?? '';
  const seal = parsed<DaySeal>(of('text'));
  return seal && { seal, text: of('text'), signature: of('signature'), list: of('list') };
}

/** @param text - JSON. @returns What it says; undefined when it is none. */
export function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
