/** When the care took place that a copy tells of. Pure. */
import type { Resource } from '@medplum/fhirtypes';

/** Instants in milliseconds since the epoch, both inclusive. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** All of time. */
export const ALWAYS: Range = { from: -Infinity, to: Infinity };

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?)?)?$/;
const DAY_MS = 86_400_000;

/**
 * Where each type says when the care took place, best first; a `Period`, a date, or a choice of both. What a record says of its own making
 * (`recordedDate`, `issued`, `authoredOn`) stands in where nothing better is there.
 */
const PATHS: Readonly<Record<string, readonly string[]>> = {
  Encounter: ['period'],
  Observation: ['effectiveDateTime', 'effectivePeriod', 'effectiveInstant', 'issued'],
  Condition: ['onsetDateTime', 'onsetPeriod', 'recordedDate'],
  AllergyIntolerance: ['onsetDateTime', 'onsetPeriod', 'recordedDate', 'lastOccurrence'],
  ServiceRequest: ['occurrenceDateTime', 'occurrencePeriod', 'authoredOn'],
  CarePlan: ['period', 'created'],
  MedicationRequest: ['authoredOn'],
  Procedure: ['performedDateTime', 'performedPeriod'],
  Immunization: ['occurrenceDateTime', 'recorded'],
  DiagnosticReport: ['effectiveDateTime', 'effectivePeriod', 'issued'],
  DocumentReference: ['date'],
};

/**
 * @param start - A FHIR date or dateTime, or nothing.
 * @param end - The same.
 * @returns From the first instant that `start` means to the last one that `end` means; undefined when either is no date, or they do not follow.
 */
export function rangeOf(start: string | undefined, end: string | undefined): Range | undefined {
  const first = start === undefined ? ALWAYS : spanOf(start);
  const last = end === undefined ? ALWAYS : spanOf(end);
  return first && last && first.from <= last.to ? { from: first.from, to: last.to } : undefined;
}

/**
 * Whether a copy is within a range of care dates (FHIR R4 patient-operation-everything.html: "care dates, not record currency dates"). It is when
 * any part of it may be: a date of a month is the whole month, an open period has no end. What has no date cannot be said to lie outside.
 *
 * @param resource - The copy.
 * @param range - The range.
 * @returns True when they may overlap.
 */
export function isWithin(resource: Resource, range: Range): boolean {
  const fields = resource as unknown as Readonly<Record<string, unknown>>;
  for (const path of PATHS[resource.resourceType] ?? []) {
    const span = spanOfValue(fields[path]);
    if (span) {
      return span.from <= range.to && span.to >= range.from;
    }
  }
  return true;
}

function spanOfValue(value: unknown): Range | undefined {
  if (typeof value === 'string') {
    return spanOf(value);
  }
  const { start, end } = (value ?? {}) as { readonly start?: string; readonly end?: string };
  return start === undefined && end === undefined ? undefined : rangeOf(start, end);
}

/** The instants that a partial date may mean; years, months and days without a zone are those of UTC. */
function spanOf(text: string): Range | undefined {
  const [, year, month, day] = DATE.exec(text) ?? [];
  const from = Date.parse(text);
  if (year === undefined || Number.isNaN(from) || isRolledOver(year, month, day)) {
    return undefined;
  }
  if (text.includes('T')) {
    return { from, to: from };
  }
  if (day !== undefined) {
    return { from, to: from + DAY_MS - 1 };
  }
  const next = month === undefined ? Date.UTC(Number(year) + 1, 0) : Date.UTC(Number(year), Number(month));
  return { from, to: next - 1 };
}

/** `Date.parse` takes 30 February for 1 March in some engines. */
function isRolledOver(year: string, month = '01', day = '01'): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() + 1 !== Number(month) || date.getUTCDate() !== Number(day);
}
