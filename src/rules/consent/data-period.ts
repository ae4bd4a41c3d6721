/** `provision.dataPeriod` (rule 20): a permit covers data wholly inside, a deny hits data that may touch it. */
import type { Period, Resource, Timing } from '@medplum/fhirtypes';
import type { Elements } from './facts.ts';
import type { Inquiry } from './inquiry.ts';
import type { Span } from './period.ts';
import { spanOf, spanOfPeriod } from './period.ts';
import type { Kind, Truth } from './three-valued.ts';
import { every } from './three-valued.ts';

/** The first of these that holds a time is the clinical date; `period` is that of Encounter, EpisodeOfCare and CarePlan. */
const NAMES = [
  'effective',
  'performed',
  'occurrence',
  'onset',
  'started',
  'period',
  'authoredOn',
  'recordedDate',
  'issued',
  'date',
  'created',
];
const FORMS = ['', 'DateTime', 'Instant', 'Period', 'Timing', 'Date'];
const CLINICAL = NAMES.flatMap((name) => FORMS.map((form) => name + form));

/**
 * Rule 20.
 *
 * @param period - The dataPeriod of a provision.
 * @param inquiry - The request.
 * @param kind - Whether the provision permits or denies.
 * @returns Unknown for undated data and an unreadable period; a Patient has no clinical date and is never outside.
 */
export function dataPeriodHolds(period: Period, inquiry: Inquiry, kind: Kind): Truth {
  if (inquiry.resource.resourceType === 'Patient') {
    return kind === 'permit';
  }
  const window = spanOfPeriod(period, inquiry.utcOffsetMinutes);
  if (!window) {
    return undefined;
  }
  const clinical = inquiry.clinicalSpans();
  const dated = clinical.length > 0 && clinical.every((span) => span);
  if (kind === 'permit') {
    return dated ? every(clinical.map((span) => window.from <= span!.from && span!.until <= window.until)) : undefined;
  }
  return (
    [...inquiry.facts.spans, ...clinical.flatMap((span) => span ?? [])].some(
      (span) => span.from < window.until && window.from < span.until
    ) || (dated ? false : undefined)
  );
}

/**
 * The clinical date of a resource.
 *
 * @param resource - The resource.
 * @param utcOffsetMinutes - The zone of dates that carry none.
 * @returns Its spans (onset to abatement is one, a Timing has several), undefined for one that cannot be read; empty if the resource is undated.
 */
export function clinicalSpans(resource: Resource, utcOffsetMinutes: number): readonly (Span | undefined)[] {
  const elements = resource as unknown as Elements;
  const value = clinicalTime(elements);
  const onset = ['DateTime', 'Period'].map((form) => elements[`onset${form}`]).find(isTime);
  const abatement = ['DateTime', 'Period'].map((form) => elements[`abatement${form}`]).find(isTime);
  if (onset && abatement) {
    const [from, until] = [onset, abatement].map((time) => spanOfTime(time, utcOffsetMinutes));
    return [from && until && { from: Math.min(from.from, until.from), until: Math.max(from.until, until.until) }];
  }
  if (typeof value === 'string') {
    return [spanOf(value, utcOffsetMinutes)];
  }
  const { event, repeat } = (value ?? {}) as Timing;
  if (event || repeat) {
    const bounds = repeat?.boundsPeriod && spanOfPeriod(repeat.boundsPeriod, utcOffsetMinutes);
    return [...(event ?? []).map((one) => spanOf(one, utcOffsetMinutes)), ...(repeat ? [bounds] : [])];
  }
  return value ? [spanOfPeriod(value, utcOffsetMinutes)] : [];
}

function spanOfTime(time: unknown, utcOffsetMinutes: number): Span | undefined {
  return typeof time === 'string' ? spanOf(time, utcOffsetMinutes) : spanOfPeriod(time as Period, utcOffsetMinutes);
}

function clinicalTime(elements: Elements): unknown {
  for (const name of CLINICAL) {
    if (isTime(elements[name])) {
      return elements[name];
    }
  }
  return undefined;
}

function isTime(value: unknown): boolean {
  const node = (value ?? {}) as Elements;
  return (
    typeof value === 'string' ||
    ['start', 'end', 'event', 'repeat'].some((name) => typeof value === 'object' && name in node)
  );
}
