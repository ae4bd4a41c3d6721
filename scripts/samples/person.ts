/** A sample Patient with every identifying field filled, and the kinds of person that de-identification trips over. */
import type { Faker } from '@faker-js/faker';
import type { Patient } from '@medplum/fhirtypes';
import { coding, concept, instantText, narrative, pastInstant } from './kit.ts';
import type { Made } from './kit.ts';

/** Who is different, by turns: an old person, an accented name, a surname that is an English word, a deceased person. */
const KINDS = ['plain', 'over-89', 'accented', 'english-word', 'deceased'] as const;
type Kind = (typeof KINDS)[number];

const ACCENTED = [
  { given: 'Ramón', family: 'Núñez Peña' },
  { given: 'Zoë', family: 'Çelik-Müller' },
  { given: 'Bjørn', family: 'Ångström' },
] as const;
const ENGLISH_WORDS = ['Payne', 'Blood', 'Hart', 'Stone', 'Field'] as const;

/**
 * @param faker - Chance.
 * @param index - Which patient of the series; decides the kind.
 * @returns A Patient.
 */
export function person(faker: Faker, index: number): Made<Patient> {
  const kind = KINDS[index % KINDS.length] ?? 'plain';
  const gender = faker.helpers.arrayElement(['female', 'male'] as const);
  const { given, family } = nameOf(faker, kind, gender);
  const middle = faker.person.middleName(gender);
  const maiden = faker.person.lastName();
  const city = faker.location.city();
  const relative = { given: [faker.person.firstName()], family: faker.person.lastName() };
  const id = faker.string.uuid();
  const mrn = `MRN${faker.string.numeric(8)}`;
  const line = faker.location.streetAddress({ useFullAddress: true });
  const postalCode = faker.location.zipCode('#####-####');
  return {
    resourceType: 'Patient',
    id,
    text: narrative(`${given} ${middle} ${family}, record ${mrn}, of ${line}, ${city}`),
    extension: [
      { url: 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName', valueString: maiden },
      {
        url: 'http://hl7.org/fhir/StructureDefinition/patient-birthPlace',
        valueAddress: { city: faker.location.city(), state: 'MA', country: 'US' },
      },
    ],
    identifier: [
      { type: concept('v2', 'MR', 'Medical Record Number'), system: 'http://hospital.example.org/mrn', value: mrn },
      {
        type: concept('v2', 'SS', 'Social Security Number'),
        system: 'http://hl7.org/fhir/sid/us-ssn',
        value: `999-${faker.string.numeric(2)}-${faker.string.numeric(4)}`,
      },
      {
        type: concept('v2', 'DL', "Driver's License"),
        system: 'urn:oid:2.16.840.1.113883.4.3.25',
        value: `S${faker.string.numeric(8)}`,
      },
    ],
    active: true,
    name: [
      { use: 'official', text: `${given} ${middle} ${family}`, family, given: [given, middle] },
      { use: 'maiden', family: maiden, given: [given] },
    ],
    telecom: [
      { system: 'phone', value: faker.phone.number({ style: 'national' }), use: 'home' },
      { system: 'email', value: `${faker.internet.username()}@mail.example.com`.toLowerCase() },
    ],
    gender,
    birthDate: birthDateOf(faker, kind),
    ...(kind === 'deceased' && { deceasedDateTime: instantText(pastInstant(faker, 1)) }),
    address: [
      {
        use: 'home',
        text: `${line}, ${city}, MA ${postalCode}`,
        line: [line],
        city,
        district: `${faker.person.lastName()} County`,
        state: 'MA',
        postalCode,
        country: 'US',
      },
    ],
    maritalStatus: concept('marital', 'M', 'Married'),
    multipleBirthBoolean: false,
    contact: [
      {
        relationship: [concept('contactRole', 'N', 'Next-of-Kin')],
        name: relative,
        telecom: [{ system: 'phone', value: faker.phone.number({ style: 'national' }) }],
        address: {
          line: [faker.location.streetAddress()],
          city: faker.location.city(),
          postalCode: faker.location.zipCode('#####'),
        },
      },
    ],
    communication: [{ language: { coding: [{ ...coding('v2', 'en-US', 'English'), system: 'urn:ietf:bcp:47' }] } }],
    generalPractitioner: [{ display: `Dr. ${faker.person.fullName()}` }],
  };
}

function nameOf(faker: Faker, kind: Kind, gender: 'female' | 'male'): { given: string; family: string } {
  switch (kind) {
    case 'accented':
      return faker.helpers.arrayElement(ACCENTED);
    case 'english-word':
      return { given: faker.person.firstName(gender), family: faker.helpers.arrayElement(ENGLISH_WORDS) };
    case 'plain':
    case 'over-89':
    case 'deceased':
      return { given: faker.person.firstName(gender), family: faker.person.lastName() };
  }
}

function birthDateOf(faker: Faker, kind: Kind): string {
  const age = kind === 'over-89' ? { min: 91, max: 101 } : { min: 1, max: 85 };
  return faker.date
    .birthdate({ mode: 'age', ...age })
    .toISOString()
    .slice(0, 10);
}
