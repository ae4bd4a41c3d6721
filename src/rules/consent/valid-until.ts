/** When an answer could change without a write: every start and end of a period at any depth, and every future `dateTime`. */
import type { Consent, ConsentProvision } from '@medplum/fhirtypes';
import type { Inquiry } from './inquiry.ts';
import { oncePer } from './once.ts';
import { spanOf } from './period.ts';

/** When, and in which zone a date without a time is read. */
type Moment = Pick<Inquiry, 'at' | 'utcOffsetMinutes'>;

/**
 * The earliest instant after the request at which a Consent could speak otherwise.
 *
 * @param consent - An active Consent of the patient.
 * @param inquiry - The request.
 * @returns Milliseconds; Infinity if it never changes by itself.
 */
export function nextChange(consent: Consent, { at, utcOffsetMinutes }: Moment): number {
  const times = utcOffsetMinutes === 0 ? instantsInUtc(consent) : instantsOf(consent, utcOffsetMinutes);
  let next = Infinity;
  for (const time of times) {
    next = time > at && time < next ? time : next;
  }
  return next;
}

const instantsInUtc = oncePer((consent: Consent) => instantsOf(consent, 0));

/** When anything about a Consent begins or ends. */
function instantsOf({ dateTime, provision }: Consent, utcOffsetMinutes: number): readonly number[] {
  return [spanOf(dateTime, utcOffsetMinutes)?.from, ...boundaries(provision, utcOffsetMinutes)].filter(
    (time) => time !== undefined
  );
}

/**
 * The same without a request: the next instant at which anything about the Consent begins or ends.
 *
 * @param consent - An active Consent.
 * @param at - Milliseconds since the epoch.
 * @returns Milliseconds since the epoch, or undefined if there is none.
 */
export function nextBoundary(consent: Consent, at: number): number | undefined {
  const next = nextChange(consent, { at, utcOffsetMinutes: 0 });
  return next === Infinity ? undefined : next;
}

function boundaries(rule: ConsentProvision | undefined, utcOffsetMinutes: number): (number | undefined)[] {
  return [
    spanOf(rule?.period?.start, utcOffsetMinutes)?.from,
    spanOf(rule?.period?.end, utcOffsetMinutes)?.until,
    ...(rule?.provision ?? []).flatMap((child) => boundaries(child, utcOffsetMinutes)),
  ];
}
