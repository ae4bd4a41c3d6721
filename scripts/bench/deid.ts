/** De-identification against parsing and writing the same resources as JSON. */
import type { Patient, Resource } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { deidentifier, transform } from '../../src/rules/deid/deidentify.ts';
import { patientKeys } from '../../src/rules/deid/keys.ts';
import type { Ratio } from '../bench.ts';
import { samplePatients } from '../samples/patients.ts';
import { medians } from './median.ts';

const PATIENTS = 40;
const KEY = { version: 1, secret: 'fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a' };

/**
 * @returns Ratios of the transform alone, and of everything that happens to a copy.
 */
export async function benchDeid(): Promise<Ratio[]> {
  const records = samplePatients({ seed: 1, count: PATIENTS, visits: 4 }).map((bundle) => {
    const resources = (bundle.entry ?? []).map(({ resource }) => resource as Resource);
    return {
      patient: resources.find((resource): resource is Patient => resource.resourceType === 'Patient') as Patient,
      resources,
    };
  });
  const texts = records.flatMap(({ resources }) => resources.map((resource) => JSON.stringify(resource)));
  const contextOf = (patient: Patient): Parameters<typeof transform>[1] => ({
    keys: patientKeys(KEY, patient.id ?? ''),
    systems: systemsOf(),
    profile: 'pseudonymised',
    at: '2026-01-01T00:00:00Z',
    patient,
    replicated: new Set([`Patient/${patient.id}`]),
  });
  let sealed = 0;
  const time = await medians(15, {
    floor: () => texts.forEach((text) => JSON.stringify(JSON.parse(text))),
    transform: () =>
      records.forEach(({ patient, resources }) => {
        const context = contextOf(patient);
        resources.forEach((resource) => transform(resource, context));
      }),
    everything: () => {
      sealed = 0;
      records.forEach(({ patient, resources }) => {
        const deidentify = deidentifier(contextOf(patient));
        resources.forEach((resource) => (sealed += deidentify(resource).ok ? 1 : 0));
      });
    },
  });
  if (sealed !== texts.length) {
    throw new Error(`${texts.length - sealed} of ${texts.length} resources were not sealed`);
  }
  const against = 'JSON parse + stringify of the same resources';
  return [
    {
      what: 'transform with fresh keys',
      against,
      ratio: time.transform / time.floor,
      note: `${texts.length} resources`,
    },
    {
      what: 'transform, residue, digest, seal',
      against,
      ratio: time.everything / time.floor,
      note: `${Math.round((texts.length / time.everything) * 1000)} resources per second per core`,
    },
  ];
}
