/** Builders for the de-identification tests: small hand-made resources, one fact overridden at a time. */
import type { Encounter, Observation, Patient, Resource } from '@medplum/fhirtypes';
import { open } from '../../../src/fhir/sealed.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { DeidContext, DeidReason } from '../../../src/rules/deid/deidentify.ts';
import { deidentify } from '../../../src/rules/deid/deidentify.ts';
import { patientKeys } from '../../../src/rules/deid/keys.ts';

export const KEY = { version: 1, secret: '9f3bC7d1e5A2kLm8Qz0XvTt4Rw6YpUnJhGsE0aB' } as const;
/** A random secret, as the source keeps one for each patient. */
export const CROSSWALK = '2c4e0f1b9d8a7765c3e1f0a9b8d7c6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9';
export const SYSTEMS = systemsOf();
export const LOINC = 'http://loinc.org';
export const SNOMED = 'http://snomed.info/sct';
export const UCUM = 'http://unitsofmeasure.org';
export const HL7 = 'http://terminology.hl7.org/CodeSystem/';
export const AT = '2026-11-21T12:00:00Z';

export function aPatient(overrides: Partial<Patient> = {}): Patient {
  return {
    resourceType: 'Patient',
    id: '7c1e2a90-1111-4222-8333-a1b2c3d4e5f6',
    active: true,
    name: [{ use: 'official', family: 'Quillfeather', given: ['Ottoline', 'May'], prefix: ['Mrs.'] }],
    telecom: [
      { system: 'phone', value: '555-867-5309' },
      { system: 'email', value: 'otti@example.org' },
    ],
    identifier: [
      { system: 'http://hospital.example/mrn', value: 'MRN-00418812' },
      { system: 'http://hl7.org/fhir/sid/us-ssn', value: '999-41-8877' },
    ],
    gender: 'female',
    birthDate: '1971-04-05',
    address: [
      { line: ['12 Larkspur Crescent'], city: 'Everett', state: 'Massachusetts', postalCode: '02149', country: 'US' },
    ],
    maritalStatus: { coding: [{ system: `${HL7}v3-MaritalStatus`, code: 'M', display: 'Married' }], text: 'Married' },
    communication: [
      { language: { coding: [{ system: 'urn:ietf:bcp:47', code: 'en-US' }], text: 'English' }, preferred: true },
    ],
    ...overrides,
  };
}

export const BASES: Readonly<Record<string, () => Record<string, unknown>>> = {
  Patient: () => ({ ...aPatient() }),
  Encounter: () => ({ ...anEncounter() }),
  Observation: () => ({ ...anObservation() }),
  Condition: () => aRecord('Condition', { code: concept('38341003') }),
  MedicationRequest: () =>
    aRecord('MedicationRequest', {
      status: 'active',
      intent: 'order',
      medicationCodeableConcept: { coding: [{ system: RXNORM, code: '310965' }] },
    }),
  AllergyIntolerance: () => {
    const { subject, ...rest } = aRecord('AllergyIntolerance', { code: concept('91935009') });
    return { ...rest, patient: subject };
  },
  Procedure: () => aRecord('Procedure', { status: 'completed', code: concept('430193006') }),
  Immunization: () => {
    const { subject, ...rest } = aRecord('Immunization', {
      status: 'completed',
      vaccineCode: { coding: [{ system: 'http://hl7.org/fhir/sid/cvx', code: '140' }] },
      occurrenceDateTime: '2019-02-03T16:48:38-05:00',
    });
    return { ...rest, patient: subject };
  },
  DiagnosticReport: () =>
    aRecord('DiagnosticReport', { status: 'final', code: { coding: [{ system: LOINC, code: '57698-3' }] } }),
  DocumentReference: () =>
    aRecord('DocumentReference', { status: 'current', content: [{ attachment: { data: 'UXVpbGxmZWF0aGVy' } }] }),
  CarePlan: () => aRecord('CarePlan', { status: 'active', intent: 'plan' }),
  ServiceRequest: () => aRecord('ServiceRequest', { status: 'active', intent: 'order', code: concept('430193006') }),
  Practitioner: () => ({ resourceType: 'Practitioner', id: 'r-1', active: true }),
  Organization: () => ({ resourceType: 'Organization', id: 'r-1', active: true }),
  Location: () => ({ resourceType: 'Location', id: 'r-1', status: 'active' }),
};

const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm';

function concept(code: string): object {
  return { coding: [{ system: SNOMED, code, display: 'x' }], text: 'x' };
}

function aRecord(resourceType: string, rest: object): Record<string, unknown> {
  return { resourceType, id: 'r-1', subject: { reference: `Patient/${String(aPatient().id)}` }, ...rest };
}

export function anEncounter(overrides: Partial<Encounter> = {}): Encounter {
  return {
    resourceType: 'Encounter',
    id: 'e-1',
    status: 'finished',
    class: { system: `${HL7}v3-ActCode`, code: 'AMB', display: 'ambulatory' },
    type: [
      {
        coding: [{ system: SNOMED, code: '185345009', display: 'Encounter for symptom' }],
        text: 'Encounter for symptom',
      },
    ],
    subject: { reference: `Patient/${String(aPatient().id)}`, display: 'Mrs. Ottoline Quillfeather' },
    period: { start: '2019-02-03T16:48:38-05:00', end: '2019-02-03T17:03:38-05:00' },
    ...overrides,
  };
}

export function anObservation(overrides: Partial<Observation> = {}): Observation {
  return {
    resourceType: 'Observation',
    id: 'o-1',
    status: 'final',
    category: [{ coding: [{ system: `${HL7}observation-category`, code: 'vital-signs', display: 'vital-signs' }] }],
    code: { coding: [{ system: LOINC, code: '8302-2', display: 'Body Height' }], text: 'Body Height' },
    subject: { reference: `Patient/${String(aPatient().id)}` },
    encounter: { reference: 'Encounter/e-1' },
    effectiveDateTime: '2019-02-03T16:48:38-05:00',
    issued: '2019-02-03T16:48:38.194-05:00',
    valueQuantity: { value: 168.3, unit: 'cm', system: UCUM, code: 'cm' },
    ...overrides,
  };
}

export function aContext(overrides: Partial<DeidContext> = {}): DeidContext {
  const patient = overrides.patient ?? aPatient();
  return {
    keys: patientKeys(KEY, String(patient.id)),
    systems: SYSTEMS,
    profile: 'pseudonymised',
    at: AT,
    patient,
    replicated: new Set([`Patient/${String(patient.id)}`, 'Encounter/e-1']),
    ...overrides,
  };
}

/** The copy, opened; a refusal fails the test. */
export function copyOf<R extends Resource>(resource: R, context: DeidContext = aContext()): R {
  const result = deidentify(resource, context);
  if (!result.ok) throw new Error(`refused: ${result.reason}`);
  return open(result.sealed);
}

/** Why there is no copy; undefined when there is one. */
export function refusalOf(resource: unknown, context: DeidContext = aContext()): DeidReason | undefined {
  const result = deidentify(resource as Resource, context);
  return result.ok ? undefined : result.reason;
}

/** Every string in a JSON value. */
export function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}
