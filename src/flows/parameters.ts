/**
 * What may be searched for: the parameters of FHIR R4 that look at elements which copies have. None looks at a name, an address, a birth date, an
 * identifier of others or at text, none reaches into another resource, and the shapes leave no room for words. Pure.
 */
import type { ReplicatedType } from '../config/policy.ts';

/** What a value looks like. */
const SHAPES = {
  token: /^(?:(?:https?:\/\/|urn:)[\w.:/-]{1,120}\|)?[A-Za-z0-9][\w.-]{0,39}$/,
  date: /^(?:eq|ne|gt|lt|ge|le|sa|eb|ap)?\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2}))?)?)?$/,
  number: /^(?:eq|ne|gt|lt|ge|le)?-?\d{1,9}(?:\.\d{1,6})?$/,
  encounter: /^(?:Encounter\/)?[A-Za-z0-9-]{1,64}$/,
  id: /^[A-Za-z0-9-]{1,64}$/,
} as const;

type Kind = keyof typeof SHAPES;

const COMMON: Readonly<Record<string, Kind>> = { _id: 'id', _lastUpdated: 'date' };

/** Parameters by kind, as R4 names them. */
const OWN: Readonly<Record<ReplicatedType, Readonly<Partial<Record<Kind, string>>>>> = {
  Patient: { token: 'gender' },
  Encounter: { token: 'class status type', date: 'date' },
  Observation: {
    token: 'category code combo-code component-code status value-concept',
    date: 'date',
    number: 'value-quantity',
    encounter: 'encounter',
  },
  Condition: {
    token: 'category clinical-status code severity verification-status',
    date: 'onset-date recorded-date',
    encounter: 'encounter',
  },
  AllergyIntolerance: { token: 'category clinical-status code criticality type verification-status', date: 'date' },
  ServiceRequest: {
    token: 'category code intent priority status',
    date: 'authored occurrence',
    encounter: 'encounter',
  },
  CarePlan: { token: 'category intent status', date: 'date', encounter: 'encounter' },
  MedicationRequest: { token: 'code intent status', date: 'authoredon', encounter: 'encounter' },
  Procedure: { token: 'category code status', date: 'date', encounter: 'encounter' },
  Immunization: { token: 'status vaccine-code', date: 'date' },
  DiagnosticReport: { token: 'category code status', date: 'date issued', encounter: 'encounter' },
  DocumentReference: { token: 'category status type', date: 'date' },
};

/** The types whose parameter for the patient is also called `subject` (R4); `patient` is for all but the Patient. */
const WITHOUT_SUBJECT: readonly string[] = ['Patient', 'AllergyIntolerance', 'Immunization'];
const MAX_VALUES = 50;

/**
 * @param type - A replicated type.
 * @returns Its parameters by name, those of all types included; those for the patient, for pages and for included copies are not among them.
 */
export function parametersOf(type: ReplicatedType): ReadonlyMap<string, Kind> {
  const own = Object.entries(OWN[type]).flatMap(([kind, names]) =>
    names.split(' ').map((name) => [name, kind as Kind] as const)
  );
  return new Map([...Object.entries(COMMON), ...own]);
}

/**
 * @param type - A replicated type.
 * @returns The parameters that name the patient.
 */
export function patientParameters(type: ReplicatedType): string[] {
  return [...(type === 'Patient' ? [] : ['patient']), ...(WITHOUT_SUBJECT.includes(type) ? [] : ['subject'])];
}

/**
 * @param type - A replicated type.
 * @returns What `_include` may be: the patient and the Encounter, and nothing else.
 */
export function includesOf(type: ReplicatedType): string[] {
  const names = [...patientParameters(type), ...(OWN[type].encounter ? ['encounter'] : [])];
  return names.map((name) => `${type}:${name}`);
}

/**
 * @param kind - What a value has to be.
 * @param value - One or more, with commas between.
 * @returns Whether each is.
 */
export function isShaped(kind: Kind, value: string): boolean {
  const parts = value.split(',');
  return parts.length <= MAX_VALUES && parts.every((part) => SHAPES[kind].test(part));
}
