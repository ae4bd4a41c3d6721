/**
 * Two registers of one town: people whom the partner knows, and people who are looked up there, some of whom are the same with what goes wrong in real
 * registers. Seeded, so that a figure can be made again. Knows nothing of the rules that are measured with it.
 */
import type { Patient } from '@medplum/fhirtypes';
import type { Faker } from '@faker-js/faker';
import { chanceOf } from './kit.ts';

/** What went wrong between two records of one person. */
export const FLAWS = [
  'none',
  'typo',
  'transposed-date',
  'wrong-digit',
  'nickname',
  'surname',
  'moved',
  'new-phone',
  'missing',
  'case-and-accents',
  'several',
] as const;
export type Flaw = (typeof FLAWS)[number];

/** Somebody who is looked up. */
export interface Lookup {
  readonly patient: Patient;
  /** The id of the same person in the register; undefined when they are not in it. */
  readonly truth: string | undefined;
  /** What went wrong, or why nobody should be found. */
  readonly kind: Flaw | 'twin' | 'relative' | 'namesake' | 'same-day-namesake' | 'stranger';
}

/** What is measured with. */
export interface Registers {
  readonly register: readonly (Patient & { readonly id: string })[];
  readonly lookups: readonly Lookup[];
}

/** Who is not in the register, and looks like somebody who is. */
const OTHERS = ['twin', 'relative', 'namesake', 'same-day-namesake', 'stranger'] as const;

/** More short forms than any table has to know. */
const NICKNAMES: Readonly<Record<string, readonly string[]>> = {
  William: ['Bill', 'Will', 'Liam', 'Willy'],
  Robert: ['Bob', 'Rob', 'Robbie'],
  Margaret: ['Peggy', 'Maggie', 'Greta'],
  Elizabeth: ['Liz', 'Betty', 'Lizzie', 'Bess'],
  James: ['Jim', 'Jamie', 'Jem'],
  Katherine: ['Kate', 'Kathy', 'Kit', 'Kat'],
  Richard: ['Dick', 'Rick', 'Richie'],
  Michael: ['Mike', 'Mick', 'Micky'],
  Patricia: ['Pat', 'Trish', 'Tricia'],
  Alexander: ['Alex', 'Sandy', 'Lex', 'Sasha'],
  Theodore: ['Ted', 'Theo', 'Teddy'],
  Susan: ['Sue', 'Suzie', 'Sukie'],
  Edward: ['Ed', 'Ned', 'Eddie'],
  Dorothy: ['Dot', 'Dolly', 'Dottie'],
};

/**
 * @param seed - Makes them again.
 * @param size - People in the register; half as many are looked up with each flaw's share, and a third who are not in it.
 * @returns Both.
 */
export function registers(seed: number, size: number): Registers {
  const faker = chanceOf(seed);
  const register = Array.from({ length: size }, (_, index) => ({ ...person(faker), id: `r${index}` }));
  const some = faker.helpers.shuffle([...register]);
  const half = some.slice(0, Math.floor(size / 2));
  const lookups = half.map((patient, index): Lookup => {
    const kind = FLAWS[index % FLAWS.length] ?? 'none';
    return { patient: flawed(faker, patient, kind), truth: patient.id, kind };
  });
  const others = some.slice(half.length, half.length + Math.floor(size / 3));
  const strangers = others.map((patient, index): Lookup => {
    const kind = OTHERS[index % OTHERS.length] ?? 'stranger';
    return { patient: like(faker, patient, kind), truth: undefined, kind };
  });
  return { register, lookups: [...lookups, ...strangers] };
}

function person(faker: Faker): Patient {
  const gender = faker.helpers.arrayElement(['male', 'female'] as const);
  const known = faker.number.float() < 0.3;
  const given = known ? faker.helpers.arrayElement(Object.keys(NICKNAMES)) : faker.person.firstName(gender);
  return {
    resourceType: 'Patient',
    name: [{ family: faker.person.lastName(), given: [given] }],
    gender,
    birthDate: birthDate(faker),
    address: [{ line: [faker.location.streetAddress()], city: 'Springfield', postalCode: postalCode(faker) }],
    telecom: [{ system: 'phone', value: faker.phone.number({ style: 'national' }) }],
    ...(faker.number.float() < 0.4 && { identifier: [{ system: 'urn:town:ssn', value: faker.string.numeric(9) }] }),
  };
}

/** One town: forty postal codes. */
const postalCode = (faker: Faker): string => `627${String(faker.number.int({ min: 1, max: 40 })).padStart(2, '0')}`;

const birthDate = (faker: Faker): string =>
  faker.date.between({ from: '1930-01-01', to: '2020-01-01' }).toISOString().slice(0, 10);

function flawed(faker: Faker, { id: _id, ...patient }: Patient & { id: string }, kind: Flaw): Patient {
  const [name] = patient.name ?? [];
  const [given = ''] = name?.given ?? [];
  const family = name?.family ?? '';
  const called = (more: { family?: string; given?: string }): Patient => ({
    ...patient,
    name: [{ family: more.family ?? family, given: [more.given ?? given] }],
  });
  switch (kind) {
    case 'none':
      return patient;
    case 'typo':
      return faker.datatype.boolean() ? called({ family: typo(faker, family) }) : called({ given: typo(faker, given) });
    case 'transposed-date':
      return { ...patient, birthDate: transposed(patient.birthDate ?? '') };
    case 'wrong-digit':
      return { ...patient, birthDate: wrongDigit(faker, patient.birthDate ?? '') };
    case 'nickname':
      return called({ given: faker.helpers.arrayElement(NICKNAMES[given] ?? [given]) });
    case 'surname':
      return called({
        family: faker.datatype.boolean() ? faker.person.lastName() : `${family}-${faker.person.lastName()}`,
      });
    case 'moved':
      return {
        ...patient,
        address: [{ line: [faker.location.streetAddress()], city: 'Shelbyville', postalCode: postalCode(faker) }],
      };
    case 'new-phone':
      return { ...patient, telecom: [{ system: 'phone', value: faker.phone.number({ style: 'national' }) }] };
    case 'missing': {
      const { address: _address, telecom: _telecom, identifier: _identifier, ...rest } = patient;
      return faker.datatype.boolean() ? rest : { ...patient, identifier: [], gender: 'unknown' };
    }
    case 'case-and-accents':
      return called({ family: family.toUpperCase(), given: given.replace('e', 'é').replace('a', 'à') });
    case 'several': {
      const first = flawed(faker, { ...patient, id: '' }, faker.helpers.arrayElement(FLAWS.slice(1, 9)));
      return flawed(faker, { ...first, id: '' }, faker.helpers.arrayElement(FLAWS.slice(1, 9)));
    }
  }
}

/** Somebody else who looks like a person of the register. */
function like(faker: Faker, { id: _id, ...patient }: Patient & { id: string }, kind: string): Patient {
  const [name] = patient.name ?? [];
  const other = { ...patient, identifier: [{ system: 'urn:town:ssn', value: faker.string.numeric(9) }] };
  const hasOwn = faker.datatype.boolean();
  const { identifier: _identifier, ...anonymous } = other;
  const self: Patient = hasOwn ? other : anonymous;
  switch (kind) {
    case 'twin': {
      // Half of them are called alike, as twins are.
      const given = name?.given?.[0] ?? '';
      const own = faker.datatype.boolean()
        ? faker.person.firstName()
        : `${given.slice(0, -1)}${given.endsWith('a') ? 'e' : 'a'}`;
      return { ...self, name: [{ family: name?.family ?? '', given: [own === given ? `${own}n` : own] }] };
    }
    case 'relative':
      return { ...self, birthDate: birthDate(faker) };
    case 'namesake':
    case 'same-day-namesake': {
      const rest = person(faker);
      return {
        ...rest,
        ...(name && { name: [name] }),
        gender: patient.gender ?? 'unknown',
        birthDate: (kind === 'namesake' ? undefined : patient.birthDate) ?? birthDate(faker),
      };
    }
    default:
      return person(faker);
  }
}

function typo(faker: Faker, text: string): string {
  const at = faker.number.int({ min: 0, max: Math.max(0, text.length - 2) });
  const letter = faker.string.alpha({ length: 1, casing: 'lower' });
  switch (faker.number.int({ min: 0, max: 3 })) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + letter + text.slice(at);
    case 2:
      return text.slice(0, at) + letter + text.slice(at + 1);
    default:
      return text.slice(0, at) + (text[at + 1] ?? '') + (text[at] ?? '') + text.slice(at + 2);
  }
}

function transposed(date: string): string {
  const [year = '', month = '', day = ''] = date.split('-');
  return Number(day) <= 12 && day !== month
    ? `${year}-${day}-${month}`
    : `${year.slice(0, 2)}${year[3]}${year[2]}-${month}-${day}`;
}

function wrongDigit(faker: Faker, date: string): string {
  const year = Number(date.slice(0, 4)) + faker.helpers.arrayElement([-1, 1, 10, -10]);
  return `${year}${date.slice(4)}`;
}
