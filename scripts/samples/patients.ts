/** Sample patients as R4 Bundles of the shape that Synthea writes, so that whatever reads the one reads the other. */
import type { Bundle, Patient, Resource } from '@medplum/fhirtypes';
import { findings } from './findings.ts';
import { records } from './records.ts';
import { chanceOf } from './kit.ts';
import type { Circle, Made } from './kit.ts';
import { person } from './person.ts';
import { visit } from './visit.ts';

export interface SampleOptions {
  /** The same seed gives the same patients. */
  readonly seed: number;
  /** How many patients; each is one Bundle. */
  readonly count: number;
  /** Visits of each patient, 7 Observations each, the first with one record of each other clinical type; default 2. */
  readonly visits?: number;
}

/**
 * Makes patients that do not exist.
 *
 * @param options - Seed and size.
 * @returns One transaction Bundle per patient: the Patient, then Encounters, each followed by its Observations, then the rest.
 */
export function samplePatients({ seed, count, visits = 2 }: SampleOptions): Bundle[] {
  return Array.from({ length: count }, (_, index) => bundleOf(recordOf(seed, index, visits)));
}

/**
 * The same one after the other, however many: nothing is kept. A million resources are some 40,000 patients.
 *
 * @param options - Seed, visits, and how many resources there are to be at least.
 * @yields One Bundle per patient.
 */
export function* sampleStream({
  seed,
  resources,
  visits = 2,
}: Pick<SampleOptions, 'seed' | 'visits'> & { readonly resources: number }): Generator<Bundle> {
  for (let index = 0, made = 0; made < resources; index++) {
    const bundle = bundleOf(recordOf(seed, index, visits));
    made += bundle.entry?.length ?? 0;
    yield bundle;
  }
}

/** Each patient has chance of its own: a longer series begins with the shorter one. */
function recordOf(seed: number, index: number, visits: number): Made[] {
  const faker = chanceOf(seed * 10_007 + index);
  const patient = person(faker, index);
  const circle: Circle = {
    fullName: nameOf(patient),
    phone: patient.telecom?.[0]?.value ?? '',
    clinician: `Dr. ${faker.person.fullName()}`,
    clinic: `${faker.location.city()} Memorial Clinic`,
    ward: `Room ${faker.string.numeric(3)}, ${faker.person.lastName()} Pavilion`,
  };
  const visited = Array.from({ length: visits }, () => visit(faker, patient, circle)).map(({ encounter, at }) => ({
    encounter,
    at,
    results: findings(faker, { patient, encounter, at, circle }),
  }));
  const [first] = visited;
  return [
    patient,
    ...visited.flatMap(({ encounter, results }) => [encounter, ...results]),
    ...(first ? records(faker, { ...first, patient, circle }) : []),
  ];
}

function nameOf({ name }: Patient): string {
  return `${name?.[0]?.given?.[0]} ${name?.[0]?.family}`;
}

function bundleOf(records: readonly Made[]): Bundle {
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: records.map((resource: Made<Resource>) => ({
      fullUrl: `urn:uuid:${resource.id}`,
      resource,
      request: { method: 'POST', url: resource.resourceType },
    })),
  };
}
