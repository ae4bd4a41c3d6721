/** A sample Encounter: coded where Encounters are coded, and with people, places and remarks wherever FHIR lets one write them. */
import type { Faker } from '@faker-js/faker';
import type { Encounter, Patient } from '@medplum/fhirtypes';
import { coding, concept, instantText, narrative, pastInstant, refer } from './kit.ts';
import type { Circle, Made } from './kit.ts';

const TYPES = [
  ['AMB', 'ambulatory', '185349003', 'Encounter for check up (procedure)'],
  ['EMER', 'emergency', '50849002', 'Emergency room admission (procedure)'],
  ['IMP', 'inpatient encounter', '185347001', 'Encounter for problem (procedure)'],
] as const;
const REASONS = [
  ['195662009', 'Acute viral pharyngitis (disorder)'],
  ['44054006', 'Diabetes mellitus type 2 (disorder)'],
  ['38341003', 'Hypertensive disorder, systemic arterial (disorder)'],
] as const;

/**
 * @param faker - Chance.
 * @param patient - Whose visit.
 * @param circle - Whom and what the records name.
 * @returns The Encounter and when it began.
 */
export function visit(faker: Faker, patient: Made<Patient>, circle: Circle): { encounter: Made<Encounter>; at: Date } {
  const at = pastInstant(faker, 4);
  const [classCode, classDisplay, typeCode, typeDisplay] = faker.helpers.arrayElement(TYPES);
  const [reasonCode, reasonDisplay] = faker.helpers.arrayElement(REASONS);
  const period = { start: instantText(at), end: instantText(at, 30) };
  const encounter: Made<Encounter> = {
    resourceType: 'Encounter',
    id: faker.string.uuid(),
    text: narrative(`Visit of ${circle.fullName} to ${circle.clinic}`),
    identifier: [{ system: 'http://hospital.example.org/visit', value: `VN${faker.string.numeric(9)}` }],
    status: 'finished',
    class: coding('actCode', classCode, classDisplay),
    type: [concept('snomed', typeCode, typeDisplay)],
    subject: refer(patient, circle.fullName),
    participant: [
      {
        type: [concept('participation', 'PPRF', 'primary performer')],
        period,
        individual: { display: circle.clinician },
      },
    ],
    period,
    reasonCode: [
      { ...concept('snomed', reasonCode, reasonDisplay), text: `${circle.fullName} asks about ${reasonDisplay}` },
    ],
    location: [{ location: { display: circle.ward } }],
    serviceProvider: { display: circle.clinic },
  };
  return { encounter, at };
}
