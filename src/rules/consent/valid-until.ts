/** When an answer could change without a write: every start and end of a period at any depth, and every future `dateTime`. */
import type { Consent, ConsentProvision } from '@medplum/fhirtypes';
import type { Inquiry } from './inquiry.ts';
import { spanOf } from './period.ts';

/**
 * The earliest instant after the request at which a Consent could speak otherwise.
 *
 * @param consent - An active Consent of the patient.
 * @param inquiry - The request.
 * @returns Milliseconds; Infinity if it never changes by itself.
 */
export function nextChange(consent: Consent, inquiry: Inquiry): number {
  const times = [spanOf(consent.dateTime, inquiry.utcOffsetMinutes)?.from, ...boundaries(consent.provision, inquiry)];
  return Math.min(Infinity, ...times.filter((time) => time !== undefined && time > inquiry.at).map(Number));
}

function boundaries(rule: ConsentProvision | undefined, inquiry: Inquiry): (number | undefined)[] {
  return [
    spanOf(rule?.period?.start, inquiry.utcOffsetMinutes)?.from,
    spanOf(rule?.period?.end, inquiry.utcOffsetMinutes)?.until,
    ...(rule?.provision ?? []).flatMap((child) => boundaries(child, inquiry)),
  ];
}
