/** Sample Observations of one visit: one of each shape that a value can have, each with free text around it. */
import type { Faker } from '@faker-js/faker';
import type { Encounter, Observation, Patient } from '@medplum/fhirtypes';
import { concept, instantText, narrative, refer } from './kit.ts';
import type { Circle, Made } from './kit.ts';

type Shape = Pick<Observation, 'category' | 'code'> & Partial<Observation>;

const CATEGORY = {
  vital: [concept('category', 'vital-signs', 'Vital Signs')],
  lab: [concept('category', 'laboratory', 'Laboratory')],
  social: [concept('category', 'social-history', 'Social History')],
  survey: [concept('category', 'survey', 'Survey')],
};
const UCUM = 'http://unitsofmeasure.org';

/**
 * @param faker - Chance.
 * @param context - Whose visit, when, and whom the records name.
 * @returns One Observation of each shape.
 */
export function findings(
  faker: Faker,
  context: {
    readonly patient: Made<Patient>;
    readonly encounter: Made<Encounter>;
    readonly at: Date;
    readonly circle: Circle;
  }
): Made<Observation>[] {
  const { patient, encounter, at, circle } = context;
  return shapes(faker, circle).map((shape, index) => ({
    resourceType: 'Observation',
    id: faker.string.uuid(),
    text: narrative(`${circle.fullName}: ${shape.code.text}`),
    identifier: [{ system: 'http://lab.example.org/accession', value: `ACC${faker.string.numeric(10)}` }],
    status: 'final',
    subject: refer(patient, circle.fullName),
    encounter: refer(encounter),
    effectiveDateTime: instantText(at, index),
    issued: instantText(at, 60 + index),
    performer: [{ display: circle.clinician }],
    note: [{ authorString: circle.clinician, text: `Call ${circle.fullName} at ${circle.phone} about this result` }],
    ...shape,
  }));
}

function shapes(faker: Faker, circle: Circle): Shape[] {
  const quantity = (min: number, max: number, unit: string): Observation['valueQuantity'] => ({
    value: faker.number.float({ min, max, fractionDigits: 1 }),
    unit,
    system: UCUM,
    code: unit,
  });
  const pressure = (
    code: string,
    display: string,
    min: number,
    max: number
  ): NonNullable<Observation['component']>[number] => ({
    code: concept('loinc', code, display),
    valueQuantity: quantity(min, max, 'mm[Hg]') ?? {},
  });
  return [
    {
      category: CATEGORY.vital,
      code: concept('loinc', '8302-2', 'Body Height'),
      valueQuantity: quantity(60, 195, 'cm') ?? {},
    },
    {
      category: CATEGORY.vital,
      code: concept('loinc', '29463-7', 'Body Weight'),
      valueQuantity: quantity(9, 110, 'kg') ?? {},
    },
    {
      category: CATEGORY.vital,
      code: concept('loinc', '85354-9', 'Blood Pressure'),
      component: [
        pressure('8462-4', 'Diastolic Blood Pressure', 60, 95),
        pressure('8480-6', 'Systolic Blood Pressure', 95, 160),
      ],
    },
    {
      category: CATEGORY.lab,
      code: concept('loinc', '4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood'),
      valueQuantity: quantity(4, 9, '%') ?? {},
      interpretation: [concept('interpretation', 'H', 'High')],
      referenceRange: [
        {
          low: { value: 4, unit: '%', system: UCUM, code: '%' },
          high: { value: 5.6, unit: '%', system: UCUM, code: '%' },
          text: `Range of ${circle.clinic}`,
        },
      ],
    },
    {
      category: CATEGORY.social,
      code: concept('loinc', '72166-2', 'Tobacco smoking status NHIS'),
      valueCodeableConcept: concept('snomed', '266919005', 'Never smoker'),
    },
    {
      category: CATEGORY.survey,
      code: concept('loinc', '72514-3', 'Pain severity - 0-10 verbal numeric rating [Score] - Reported'),
      valueInteger: faker.number.int({ min: 0, max: 10 }),
    },
    {
      category: CATEGORY.lab,
      code: concept('loinc', '5767-9', 'Appearance of Urine'),
      valueString: `Cloudy, as seen by ${circle.clinician} for ${circle.fullName}`,
    },
  ];
}
