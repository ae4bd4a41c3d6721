/**
 * What a record from outside has to have: R4's required codes, which Medplum does not look at unless a project has terminology on, and the
 * elements that US Core (6.1.0) requires. Cardinality, types and invariants of R4 are the server's: it refuses the write.
 */

/** One type. */
export interface Profile {
  /** Elements that must be there; `a|b` is one of several, `x[x]` a choice. */
  readonly required: readonly string[];
  /** Elements with a required binding, and their codes. */
  readonly codes: Readonly<Record<string, string>>;
  /** Elements that have to say what they mean: a coding with system and code, or a text. */
  readonly concepts: readonly string[];
}

const REQUEST = 'draft active on-hold revoked completed entered-in-error unknown';
const INTENT = 'proposal plan directive order original-order reflex-order filler-order instance-order option';
const PRIORITY = 'routine urgent asap stat';

export const PROFILES: Readonly<Record<string, Profile>> = {
  Patient: {
    required: ['identifier', 'name', 'gender'],
    codes: { gender: 'male female other unknown' },
    concepts: [],
  },
  Encounter: {
    required: ['status', 'class', 'subject'],
    codes: { status: 'planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown' },
    concepts: ['type', 'reasonCode'],
  },
  Observation: {
    required: ['status', 'code', 'subject'],
    codes: { status: 'registered preliminary final amended corrected cancelled entered-in-error unknown' },
    concepts: ['code', 'category'],
  },
  Condition: {
    required: ['code', 'subject', 'category'],
    codes: {},
    concepts: ['code', 'category', 'clinicalStatus', 'verificationStatus'],
  },
  AllergyIntolerance: {
    required: ['code', 'patient'],
    codes: {
      type: 'allergy intolerance',
      category: 'food medication environment biologic',
      criticality: 'low high unable-to-assess',
    },
    concepts: ['code', 'clinicalStatus', 'verificationStatus'],
  },
  ServiceRequest: {
    required: ['status', 'intent', 'code', 'subject'],
    codes: { status: REQUEST, intent: INTENT, priority: PRIORITY },
    concepts: ['code', 'category'],
  },
  CarePlan: {
    required: ['status', 'intent', 'category', 'subject'],
    codes: { status: REQUEST, intent: 'proposal plan order option' },
    concepts: ['category'],
  },
  MedicationRequest: {
    required: ['status', 'intent', 'medication[x]', 'subject'],
    codes: {
      status: 'active on-hold cancelled completed entered-in-error stopped draft unknown',
      intent: 'proposal plan order original-order reflex-order filler-order instance-order option',
      priority: PRIORITY,
    },
    concepts: ['medicationCodeableConcept'],
  },
  Procedure: {
    required: ['status', 'code', 'subject'],
    codes: { status: 'preparation in-progress not-done on-hold stopped completed entered-in-error unknown' },
    concepts: ['code'],
  },
  Immunization: {
    required: ['status', 'vaccineCode', 'patient', 'occurrence[x]'],
    codes: { status: 'completed entered-in-error not-done' },
    concepts: ['vaccineCode'],
  },
  DiagnosticReport: {
    required: ['status', 'category', 'code', 'subject'],
    codes: {
      status: 'registered partial preliminary final amended corrected appended cancelled entered-in-error unknown',
    },
    concepts: ['category', 'code'],
  },
  DocumentReference: {
    required: ['status', 'type', 'category', 'subject', 'content'],
    codes: {
      status: 'current superseded entered-in-error',
      docStatus: 'preliminary final amended entered-in-error',
    },
    concepts: ['type', 'category'],
  },
};

/** Vital signs of R4's and US Core's profiles by LOINC, and the UCUM units that these allow. */
export const VITAL_UNITS: Readonly<Record<string, string>> = {
  '8867-4': '/min', // heart rate
  '9279-1': '/min', // respiratory rate
  '8310-5': 'Cel [degF]', // body temperature
  '8302-2': 'cm [in_i]', // body height
  '29463-7': 'g kg [lb_av]', // body weight
  '39156-5': 'kg/m2', // body mass index
  '8480-6': 'mm[Hg]', // systolic
  '8462-4': 'mm[Hg]', // diastolic
  '2708-6': '%', // oxygen saturation in arterial blood
  '59408-5': '%', // oxygen saturation by pulse oximetry
  '9843-4': 'cm [in_i]', // head circumference
};

/** LOINC panels of vital signs: their values are in the components. */
export const VITAL_PANELS: readonly string[] = ['85354-9', '85353-1'];
