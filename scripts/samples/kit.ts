/** What every sample record is made with: seeded chance, one patient, one clinic, and no clock. */
import { base, en, Faker } from '@faker-js/faker';
import type { CodeableConcept, Coding, Reference, Resource } from '@medplum/fhirtypes';

/** "Now" for the samples. Fixed, so that a seed gives the same patients for ever. */
export const REFERENCE_DATE = '2026-01-01T00:00:00.000Z';

const SYSTEMS = {
  loinc: 'http://loinc.org',
  snomed: 'http://snomed.info/sct',
  actCode: 'http://terminology.hl7.org/CodeSystem/v3-ActCode',
  v2: 'http://terminology.hl7.org/CodeSystem/v2-0203',
  category: 'http://terminology.hl7.org/CodeSystem/observation-category',
  interpretation: 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation',
  participation: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
  marital: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus',
  contactRole: 'http://terminology.hl7.org/CodeSystem/v2-0131',
  conditionClinical: 'http://terminology.hl7.org/CodeSystem/condition-clinical',
  conditionVerification: 'http://terminology.hl7.org/CodeSystem/condition-ver-status',
  conditionCategory: 'http://terminology.hl7.org/CodeSystem/condition-category',
  allergyClinical: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical',
  allergyVerification: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification',
  section: 'http://terminology.hl7.org/CodeSystem/v2-0074',
  rxnorm: 'http://www.nlm.nih.gov/research/umls/rxnorm',
  cvx: 'http://hl7.org/fhir/sid/cvx',
} as const;

/** A resource with the id that its Bundle's `urn:uuid:` address repeats. */
export type Made<T extends Resource = Resource> = T & { readonly id: string };

/** The people and places that a patient's records name in passing. */
export interface Circle {
  readonly fullName: string;
  readonly phone: string;
  readonly clinician: string;
  readonly clinic: string;
  readonly ward: string;
}

/**
 * @param seed - Any whole number.
 * @returns Chance that repeats itself for the same seed.
 */
export function chanceOf(seed: number): Faker {
  const faker = new Faker({ locale: [en, base], seed });
  faker.setDefaultRefDate(REFERENCE_DATE);
  return faker;
}

/**
 * @param system - The short name of a code system.
 * @param code - The code.
 * @param display - Its display.
 * @returns The coding.
 */
export function coding(system: keyof typeof SYSTEMS, code: string, display: string): Coding {
  return { system: SYSTEMS[system], code, display };
}

/**
 * @param system - The short name of a code system.
 * @param code - The code.
 * @param display - Its display, repeated as `text` as Synthea does.
 * @returns The concept.
 */
export function concept(system: keyof typeof SYSTEMS, code: string, display: string): CodeableConcept {
  return { coding: [coding(system, code, display)], text: display };
}

/**
 * @param resource - A record of the same Bundle.
 * @param display - What it is called.
 * @returns A reference as Synthea writes them.
 */
export function refer<T extends Resource>(resource: Made, display?: string): Reference<T> {
  return { reference: `urn:uuid:${resource.id}`, ...(display && { display }) };
}

/**
 * @param text - Plain text.
 * @returns A narrative that says it.
 */
export function narrative(text: string): { status: 'generated'; div: string } {
  return { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${text}</div>` };
}

/**
 * @param faker - Chance.
 * @param yearsAgo - From how far back.
 * @returns A moment before the reference date, with a zone other than UTC.
 */
export function pastInstant(faker: Faker, yearsAgo: number): Date {
  return faker.date.past({ years: yearsAgo, refDate: REFERENCE_DATE });
}

/**
 * @param at - A moment.
 * @param minutes - How much later.
 * @returns The text of it, in US Eastern standard time.
 */
export function instantText(at: Date, minutes = 0): string {
  return new Date(at.getTime() + minutes * 60_000 - 5 * 3_600_000).toISOString().replace('Z', '-05:00');
}
