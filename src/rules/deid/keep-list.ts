/**
 * The policy as data: what of each type leaves, and how. `scripts/build/deid-tables.ts` compiles it against the R4 definitions into
 * `tables.generated.ts`, and fails unless every element of the type has a row here. Not in the bundle.
 *
 * Rows name elements by their path below the type; a choice is named with its type (`valueQuantity`). What is not here (extensions,
 * unknown properties, contained resources, narrative, meta, language) does not exist for the transform.
 */

/**
 * - `node`: a backbone element; its children have rows of their own
 * - `keep`: a boolean, or a code of a required value set
 * - `code`: a Coding or CodeableConcept: system and code from `code-systems.ts`, nothing else
 * - `number`: a count, a decimal, a Quantity, Range, Ratio or Duration: number and UCUM unit
 * - `shift`: a date, dateTime, instant, Period or Timing
 * - `pseudonym`: a Reference to a clinical resource, as a token
 * - `subject`: the Reference to the patient
 * - `derive`: made anew elsewhere (`patient.ts`, `deidentify.ts`), never from this position
 * - `drop`: does not leave
 */
export type How = 'node' | 'keep' | 'code' | 'number' | 'shift' | 'pseudonym' | 'subject' | 'derive' | 'drop';

export type KeepList = Readonly<Record<string, How>>;

/** Types that are people, organisations, places or things rather than clinical data: references to them are dropped. */
export const NO_REFERENCE_TO: readonly string[] = [
  'Account',
  'CareTeam',
  'Coverage',
  'Device',
  'DeviceMetric',
  'Group',
  'HealthcareService',
  'Location',
  'Organization',
  'Patient',
  'Person',
  'Practitioner',
  'PractitionerRole',
  'RelatedPerson',
];

/** Backbone elements that mean nothing unless at least one of these survives (constraints of R4, such as obs-3). */
export const NEEDS_ONE_OF: Readonly<Record<string, readonly string[]>> = {
  'Observation.referenceRange': ['low', 'high'],
};

const VALUE: KeepList = {
  valueQuantity: 'number',
  valueCodeableConcept: 'code',
  valueString: 'drop', // may hold anything
  valueBoolean: 'keep',
  valueInteger: 'number',
  valueRange: 'number',
  valueRatio: 'number',
  valueSampledData: 'drop', // a waveform identifies (P)
  valueTime: 'drop', // a time of day
  valueDateTime: 'shift',
  valuePeriod: 'shift',
};

export const KEEP_LISTS: Readonly<Record<string, KeepList>> = {
  Patient: {
    identifier: 'derive',
    active: 'keep',
    name: 'derive',
    telecom: 'drop',
    gender: 'keep',
    birthDate: 'derive',
    deceasedBoolean: 'keep',
    deceasedDateTime: 'shift',
    address: 'drop', // a pseudonymised copy needs no place; Safe Harbor's ZIP3 is for the other profile
    maritalStatus: 'code',
    multipleBirthBoolean: 'drop', // a twin of known age is rare
    multipleBirthInteger: 'drop',
    photo: 'drop',
    contact: 'drop', // relatives
    communication: 'derive', // the language without its region
    generalPractitioner: 'drop',
    managingOrganization: 'drop',
    link: 'drop', // tells of merges and relatives
  },

  Encounter: {
    identifier: 'derive',
    status: 'keep',
    statusHistory: 'node',
    'statusHistory.status': 'keep',
    'statusHistory.period': 'shift',
    class: 'code',
    classHistory: 'node',
    'classHistory.class': 'code',
    'classHistory.period': 'shift',
    type: 'code',
    serviceType: 'code',
    priority: 'code',
    subject: 'subject',
    episodeOfCare: 'pseudonym',
    basedOn: 'pseudonym',
    participant: 'node',
    'participant.type': 'code',
    'participant.period': 'shift',
    'participant.individual': 'drop',
    appointment: 'pseudonym',
    period: 'shift',
    length: 'number',
    reasonCode: 'code',
    reasonReference: 'pseudonym',
    diagnosis: 'node',
    'diagnosis.condition': 'pseudonym',
    'diagnosis.use': 'code',
    'diagnosis.rank': 'number',
    account: 'drop',
    hospitalization: 'node',
    'hospitalization.preAdmissionIdentifier': 'drop',
    'hospitalization.origin': 'drop',
    'hospitalization.admitSource': 'code',
    'hospitalization.reAdmission': 'code',
    'hospitalization.dietPreference': 'drop', // tells the religion
    'hospitalization.specialCourtesy': 'drop', // tells the VIP
    'hospitalization.specialArrangement': 'drop',
    'hospitalization.destination': 'drop',
    'hospitalization.dischargeDisposition': 'code',
    location: 'drop', // location.location is required and names a place
    serviceProvider: 'drop',
    partOf: 'pseudonym',
  },

  Observation: {
    identifier: 'derive',
    basedOn: 'pseudonym',
    partOf: 'pseudonym',
    status: 'keep',
    category: 'code',
    code: 'code',
    subject: 'subject',
    focus: 'drop', // deidentify.ts refuses an Observation with a focus
    encounter: 'pseudonym',
    effectiveDateTime: 'shift',
    effectivePeriod: 'shift',
    effectiveTiming: 'shift',
    effectiveInstant: 'shift',
    issued: 'shift',
    performer: 'drop',
    ...VALUE,
    dataAbsentReason: 'code',
    interpretation: 'code',
    note: 'drop',
    bodySite: 'code',
    method: 'code',
    specimen: 'pseudonym',
    device: 'drop',
    referenceRange: 'node',
    'referenceRange.low': 'number',
    'referenceRange.high': 'number',
    'referenceRange.type': 'code',
    'referenceRange.appliesTo': 'code',
    'referenceRange.age': 'drop', // brackets the patient's age
    'referenceRange.text': 'drop',
    hasMember: 'pseudonym',
    derivedFrom: 'pseudonym',
    component: 'node',
    'component.code': 'code',
    ...Object.fromEntries(Object.entries(VALUE).map(([name, how]): [string, How] => [`component.${name}`, how])),
    'component.dataAbsentReason': 'code',
    'component.interpretation': 'code',
    'component.referenceRange': 'node',
    'component.referenceRange.low': 'number',
    'component.referenceRange.high': 'number',
    'component.referenceRange.type': 'code',
    'component.referenceRange.appliesTo': 'code',
    'component.referenceRange.age': 'drop',
    'component.referenceRange.text': 'drop',
  },
};
