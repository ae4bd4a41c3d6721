/** What has been done to the trail since it was sealed. Pure, so that it works on exported archives without a server. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { isSignedBy, kidOf } from '../../observability/signer.ts';
import { lineOf, rootOf, sha256 } from './seal.ts';
import type { SignedSeal } from './seal.ts';

/** One thing that is not as it was. */
export interface Tampering {
  readonly day: string;
  readonly what:
    | 'changed'
    | 'removed'
    | 'inserted'
    | 'seal-not-signed'
    | 'seal-out-of-chain'
    | 'day-not-sealed'
    | 'list-changed'
    | 'archive-changed';
  /** The event, and its place in the day from 1. */
  readonly id?: string;
  readonly position?: number;
  readonly at?: string;
}

/**
 * Checks signatures, and that no day and no seal is missing in between.
 *
 * @param seals - Seals in the order of their days.
 * @param publicKeys - Keys that are believed, PEM.
 * @param isWhole - Whether the days follow each other without a gap; false for a choice of archives.
 * @returns What is wrong.
 */
export function verifySeals(
  seals: readonly SignedSeal[],
  publicKeys: readonly string[],
  isWhole: boolean
): Tampering[] {
  return seals.flatMap(({ seal, text, signature }, index): Tampering[] => {
    const key = publicKeys.find((each) => kidOf(each) === seal.kid);
    const before = seals[index - 1];
    const isNext = before && Date.parse(seal.day) - Date.parse(before.seal.day) === 86_400_000;
    return [
      ...(key && isSignedBy(text, signature, key) ? [] : [{ day: seal.day, what: 'seal-not-signed' as const }]),
      ...(before && !isNext && isWhole ? [{ day: seal.day, what: 'day-not-sealed' as const }] : []),
      ...(isNext && seal.previous !== sha256(before.text)
        ? [{ day: seal.day, what: 'seal-out-of-chain' as const }]
        : []),
    ];
  });
}

/**
 * Compares a day with its seal.
 *
 * @param signed - The seal.
 * @param list - The lines that were sealed; undefined when they are lost, and then nothing can be located.
 * @param events - The events of the day that are there now.
 * @param moved - Sealed events that were found with a later `lastUpdated`: somebody has written over them.
 * @returns What is wrong, and where.
 */
export function verifyDay(
  { seal }: SignedSeal,
  list: string | undefined,
  events: readonly AuditEvent[],
  moved: ReadonlySet<string> = new Set()
): Tampering[] {
  const { day, previous, root, count } = seal;
  const sealed = (list ?? '').split('\n').filter(Boolean);
  if (list === undefined || sealed.length !== count || rootOf(day, previous, sealed) !== root) {
    const now = events.map(lineOf);
    return rootOf(day, previous, now) === root && now.length === count ? [] : [{ day, what: 'list-changed' }];
  }
  const there = new Map(events.map((event) => [event.id ?? '', lineOf(event)]));
  const known = new Set<string>();
  const found = sealed.flatMap((line, index): Tampering[] => {
    const [at = '', id = ''] = line.split(' ');
    known.add(id);
    const now = there.get(id);
    if (now === line) {
      return [];
    }
    const what = now !== undefined || moved.has(id) ? 'changed' : 'removed';
    return [{ day, what, id, position: index + 1, at }];
  });
  const inserted = events.flatMap((event, index): Tampering[] =>
    known.has(event.id ?? '')
      ? []
      : [
          {
            day,
            what: 'inserted',
            id: event.id ?? '',
            position: index + 1,
            ...(event.meta?.lastUpdated && { at: event.meta.lastUpdated }),
          },
        ]
  );
  return [...found, ...inserted];
}
