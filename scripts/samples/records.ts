/** Sample records that follow from a visit: one of each clinical type, coded where FHIR codes, with people and remarks wherever it lets one write them. */
import type { Faker } from '@faker-js/faker';
import type {
  AllergyIntolerance,
  CarePlan,
  Condition,
  DiagnosticReport,
  DocumentReference,
  Encounter,
  Immunization,
  MedicationRequest,
  Observation,
  Patient,
  Procedure,
  Reference,
  ServiceRequest,
} from '@medplum/fhirtypes';
import { concept, instantText, narrative, refer } from './kit.ts';
import type { Circle, Made } from './kit.ts';

/** Whose visit, when, what was found, and whom the records name. */
export interface Visit {
  readonly patient: Made<Patient>;
  readonly encounter: Made<Encounter>;
  readonly results: readonly Made<Observation>[];
  readonly at: Date;
  readonly circle: Circle;
}

type ClinicalRecord =
  | Condition
  | AllergyIntolerance
  | ServiceRequest
  | CarePlan
  | MedicationRequest
  | Procedure
  | Immunization
  | DiagnosticReport
  | DocumentReference;

/**
 * @param faker - Chance.
 * @param visit - The visit.
 * @returns One record of each type.
 */
export function records(faker: Faker, visit: Visit): Made<ClinicalRecord>[] {
  const condition = { ...frame(faker, visit, 'problem'), ...problem(faker, visit) };
  const request = { ...frame(faker, visit, 'order'), ...order(visit, condition) };
  return [
    condition,
    { ...owned(faker, visit, 'allergy'), ...allergy(faker, visit) },
    request,
    { ...frame(faker, visit, 'plan'), ...carePlan(visit, condition) },
    { ...frame(faker, visit, 'prescription'), ...prescription(faker, visit, condition) },
    { ...frame(faker, visit, 'procedure'), ...procedure(visit, condition, request) },
    { ...owned(faker, visit, 'immunization'), ...immunization(faker, visit) },
    { ...frame(faker, visit, 'report'), ...report(visit, request) },
    documentReference(faker, visit),
  ];
}

interface Common {
  readonly id: string;
  readonly text: ReturnType<typeof narrative>;
  readonly identifier: { system: string; value: string }[];
}

/** What a record says beyond whose it is. */
type Rest<R> = Omit<R, keyof Common | 'subject' | 'patient' | 'encounter'>;

function common(faker: Faker, { circle }: Visit, what: string): Common {
  return {
    id: faker.string.uuid(),
    text: narrative(`The ${what} of ${circle.fullName} at ${circle.clinic}`),
    identifier: [{ system: `http://hospital.example.org/${what}`, value: `ID${faker.string.numeric(9)}` }],
  };
}

/** What most records begin with; those of the patient's history say `patient` instead of `subject`. */
function frame(
  faker: Faker,
  visit: Visit,
  what: string
): Common & { subject: Reference<Patient>; encounter: Reference<Encounter> } {
  const { patient, encounter, circle } = visit;
  return {
    ...common(faker, visit, what),
    subject: refer<Patient>(patient, circle.fullName),
    encounter: refer<Encounter>(encounter),
  };
}

function owned(
  faker: Faker,
  visit: Visit,
  what: string
): Common & { patient: Reference<Patient>; encounter: Reference<Encounter> } {
  const { patient, encounter, circle } = visit;
  return {
    ...common(faker, visit, what),
    patient: refer<Patient>(patient, circle.fullName),
    encounter: refer<Encounter>(encounter),
  };
}

/** Everybody writes names and numbers into a note. */
function remark({ circle }: Visit): { authorString: string; text: string }[] {
  return [{ authorString: circle.clinician, text: `Spoke with ${circle.fullName}, call back at ${circle.phone}` }];
}

function problem(faker: Faker, visit: Visit): Rest<Condition> {
  const { at, circle } = visit;
  const [code, display] = faker.helpers.arrayElement([
    ['44054006', 'Diabetes mellitus type 2 (disorder)'],
    ['38341003', 'Hypertensive disorder, systemic arterial (disorder)'],
  ] as const);
  return {
    resourceType: 'Condition',
    clinicalStatus: concept('conditionClinical', 'active', 'Active'),
    verificationStatus: concept('conditionVerification', 'confirmed', 'Confirmed'),
    category: [concept('conditionCategory', 'encounter-diagnosis', 'Encounter Diagnosis')],
    code: { ...concept('snomed', code, display), text: `${circle.fullName}’s ${display}` },
    onsetDateTime: instantText(at),
    recordedDate: instantText(at, 5),
    recorder: { display: circle.clinician },
    note: remark(visit),
  };
}

function allergy(faker: Faker, visit: Visit): Rest<AllergyIntolerance> {
  const { at, circle } = visit;
  return {
    resourceType: 'AllergyIntolerance',
    clinicalStatus: concept('allergyClinical', 'active', 'Active'),
    verificationStatus: concept('allergyVerification', 'confirmed', 'Confirmed'),
    type: 'allergy',
    category: ['food'],
    criticality: 'high',
    code: concept('snomed', '91935009', 'Allergy to peanut (finding)'),
    onsetString: `when ${circle.fullName} was ${faker.number.int({ min: 2, max: 9 })}`,
    recordedDate: instantText(at, 6),
    asserter: { display: circle.fullName },
    reaction: [
      {
        manifestation: [concept('snomed', '247472004', 'Weal (disorder)')],
        description: `${circle.fullName} had to be driven to ${circle.clinic}`,
        severity: 'moderate',
        note: remark(visit),
      },
    ],
    note: remark(visit),
  };
}

function order(visit: Visit, condition: Made<Condition>): Rest<ServiceRequest> {
  const { at, circle } = visit;
  return {
    resourceType: 'ServiceRequest',
    requisition: { system: 'http://hospital.example.org/requisition', value: `RQ-${condition.id.slice(0, 8)}` },
    status: 'active',
    intent: 'order',
    priority: 'routine',
    code: concept('snomed', '430193006', 'Medication Reconciliation (procedure)'),
    authoredOn: instantText(at, 8),
    requester: { display: circle.clinician },
    performer: [{ display: circle.clinic }],
    reasonReference: [refer<Condition>(condition, circle.fullName)],
    patientInstruction: `${circle.fullName} is to bring her papers to ${circle.ward}`,
    note: remark(visit),
  };
}

function carePlan(visit: Visit, condition: Made<Condition>): Rest<CarePlan> {
  const { at, circle } = visit;
  return {
    resourceType: 'CarePlan',
    status: 'active',
    intent: 'order',
    title: `Plan for ${circle.fullName}`,
    description: `As agreed with ${circle.fullName} and family`,
    category: [concept('snomed', '698360004', 'Diabetes self management plan (record artifact)')],
    period: { start: instantText(at, 9) },
    author: { display: circle.clinician },
    careTeam: [{ display: `${circle.fullName} and ${circle.clinician}` }],
    addresses: [refer<Condition>(condition)],
    activity: [
      {
        progress: remark(visit),
        detail: {
          code: concept('snomed', '160670007', 'Diabetic diet (finding)'),
          status: 'in-progress',
          location: { display: circle.clinic },
          description: `${circle.fullName} will keep a diary`,
        },
      },
    ],
    note: remark(visit),
  };
}

function prescription(faker: Faker, visit: Visit, condition: Made<Condition>): Rest<MedicationRequest> {
  const { at, circle } = visit;
  return {
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    medicationCodeableConcept: concept('rxnorm', '860975', '24 HR Metformin hydrochloride 500 MG Oral Tablet'),
    authoredOn: instantText(at, 10),
    requester: { display: circle.clinician },
    groupIdentifier: { system: 'http://hospital.example.org/rx', value: `RX${faker.string.numeric(9)}` },
    reasonReference: [refer<Condition>(condition)],
    note: remark(visit),
    dosageInstruction: [
      {
        sequence: 1,
        text: `One for ${circle.fullName} with breakfast`,
        patientInstruction: `Call ${circle.clinician} at once if unwell`,
        timing: { repeat: { frequency: 1, period: 1, periodUnit: 'd', timeOfDay: ['08:00:00'] } },
        doseAndRate: [{ doseQuantity: { value: 500, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' } }],
      },
    ],
    dispenseRequest: { numberOfRepeatsAllowed: 2, performer: { display: `Pharmacy of ${circle.clinic}` } },
  };
}

function procedure(visit: Visit, condition: Made<Condition>, request: Made<ServiceRequest>): Rest<Procedure> {
  const { at, circle } = visit;
  return {
    resourceType: 'Procedure',
    basedOn: [refer<ServiceRequest>(request)],
    status: 'completed',
    code: concept('snomed', '430193006', 'Medication Reconciliation (procedure)'),
    performedPeriod: { start: instantText(at, 12), end: instantText(at, 20) },
    performer: [{ actor: { display: circle.clinician } }],
    location: { display: circle.ward },
    reasonReference: [refer<Condition>(condition, circle.fullName)],
    followUp: [{ text: `Visit ${circle.fullName} at home` }],
    note: remark(visit),
  };
}

function immunization(faker: Faker, visit: Visit): Rest<Immunization> {
  const { at, circle } = visit;
  return {
    resourceType: 'Immunization',
    status: 'completed',
    vaccineCode: concept('cvx', '140', 'Influenza, seasonal, injectable, preservative free'),
    occurrenceDateTime: instantText(at, 21),
    primarySource: true,
    location: { display: circle.clinic },
    lotNumber: `LOT${faker.string.numeric(7)}`,
    expirationDate: '2031-12-31',
    performer: [{ actor: { display: circle.clinician } }],
    note: remark(visit),
    protocolApplied: [{ series: `Series of ${circle.fullName}`, doseNumberPositiveInt: 1 }],
  };
}

function report(visit: Visit, request: Made<ServiceRequest>): Rest<DiagnosticReport> {
  const { at, circle, results } = visit;
  const note = `Results of ${circle.fullName}, discussed by telephone ${circle.phone}`;
  return {
    resourceType: 'DiagnosticReport',
    basedOn: [refer<ServiceRequest>(request)],
    status: 'final',
    category: [concept('section', 'LAB', 'Laboratory')],
    code: concept('loinc', '51990-0', 'Basic metabolic panel - Blood by Automated count'),
    effectiveDateTime: instantText(at, 22),
    issued: instantText(at, 80),
    performer: [{ display: `Laboratory of ${circle.clinic}` }],
    result: results.map((result) => refer<Observation>(result, circle.fullName)),
    conclusion: note,
    presentedForm: [{ contentType: 'text/plain', data: Buffer.from(note).toString('base64'), title: circle.fullName }],
  };
}

function documentReference(faker: Faker, visit: Visit): Made<DocumentReference> {
  const { patient, encounter, at, circle } = visit;
  const note = `Seen by ${circle.clinician} in ${circle.ward}: ${circle.fullName} is well`;
  return {
    resourceType: 'DocumentReference',
    ...common(faker, visit, 'document'),
    masterIdentifier: { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${faker.string.uuid()}` },
    status: 'current',
    type: concept('loinc', '34117-2', 'History and physical note'),
    subject: refer<Patient>(patient, circle.fullName),
    date: instantText(at, 90),
    author: [{ display: circle.clinician }],
    description: `Note on ${circle.fullName}`,
    content: [
      {
        attachment: {
          contentType: 'text/plain',
          data: Buffer.from(note).toString('base64'),
          title: `${circle.fullName}.txt`,
        },
      },
    ],
    context: { encounter: [refer<Encounter>(encounter)], period: { start: instantText(at), end: instantText(at, 30) } },
  };
}
