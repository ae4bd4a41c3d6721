/** De-identification against parsing and writing the same resources as JSON. */
import type { Bundle, Patient, Resource } from '@medplum/fhirtypes';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isReplicated } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { DeidContext } from '../../src/rules/deid/deidentify.ts';
import { deidentifier, transformer } from '../../src/rules/deid/deidentify.ts';
import { patientKeys } from '../../src/rules/deid/keys.ts';
import { residue } from '../../src/rules/deid/residue.ts';
import { factsOf } from '../../src/rules/deid/sweep.ts';
import type { Ratio } from '../bench.ts';
import { samplePatients } from '../samples/patients.ts';
import { fastest } from './median.ts';

const PATIENTS = 40;
const KEY = { version: 1, secret: 'fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a' };
/** Synthea's bundles, where they are; otherwise the sample patients. */
const SYNTHEA = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'synthea');
const MANY = 100_000;

interface Record {
  readonly patient: Patient;
  readonly resources: readonly Resource[];
}

/**
 * @returns Ratios of the transform alone, with the second check, and of everything that happens to a copy.
 */
export async function benchDeid(): Promise<Ratio[]> {
  const records = (
    existsSync(SYNTHEA) ? syntheaBundles() : samplePatients({ seed: 1, count: PATIENTS, visits: 4 })
  ).map(recordOf);
  const texts = records.flatMap(({ resources }) => resources.map((resource) => JSON.stringify(resource)));
  let made = 0;
  const each = (work: (context: DeidContext) => (resource: Resource) => boolean) => (): void => {
    made = 0;
    for (const { patient, resources } of records) {
      const run = work(contextOf(patient));
      resources.forEach((resource) => (made += run(resource) ? 1 : 0));
    }
    if (made !== texts.length) {
      throw new Error(`${texts.length - made} of ${texts.length} resources came to nothing`);
    }
  };
  const everything = each((context) => {
    const deidentify = deidentifier(context);
    return (resource) => deidentify(resource).ok;
  });
  const time = await fastest(40, {
    floor: () => texts.forEach((text) => JSON.stringify(JSON.parse(text))),
    transform: each((context) => {
      const transform = transformer(context);
      return (resource) => typeof transform(resource) === 'object';
    }),
    checked: each((context) => {
      const facts = factsOf(context.patient);
      const transform = transformer(context);
      return (source) => {
        const draft = transform(source);
        return typeof draft === 'object' && residue(draft, { ...context, facts, source }) === undefined;
      };
    }),
    everything,
  });
  const against = 'JSON parse + stringify of the same resources';
  const perSecond = (ms: number): string => `${Math.round((texts.length / ms) * 1000)} resources per second per core`;
  return [
    { what: 'transform with fresh keys', against, ratio: time.transform / time.floor, note: perSecond(time.transform) },
    { what: 'the same, residue included', against, ratio: time.checked / time.floor, note: perSecond(time.checked) },
    {
      what: 'transform, residue, digest, seal',
      against,
      ratio: time.everything / time.floor,
      note: perSecond(time.everything),
    },
    {
      what: `${MANY} resources`,
      against: 'the heap after the first tenth of them',
      ratio: heapGrowth(everything, texts.length),
      note: `${texts.length} resources of ${existsSync(SYNTHEA) ? 'Synthea' : 'the sample patients'}, again and again`,
    },
  ];
}

/** Garbage is not growth. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function heapGrowth(work: () => void, size: number): number {
  const heapAfter = (resources: number): number => {
    for (let done = 0; done < resources; done += size) {
      work();
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const first = heapAfter(MANY / 10);
  return heapAfter(MANY - MANY / 10) / first;
}

function contextOf(patient: Patient): DeidContext {
  return {
    keys: patientKeys(KEY, patient.id ?? ''),
    systems: systemsOf(),
    profile: 'pseudonymised',
    at: '2026-01-01T00:00:00Z',
    patient,
    replicated: new Set([`Patient/${patient.id}`]),
  };
}

function syntheaBundles(): Bundle[] {
  return readdirSync(SYNTHEA).map((name) => JSON.parse(readFileSync(join(SYNTHEA, name), 'utf8')) as Bundle);
}

/** The records of one bundle, their `urn:uuid:` references made those of a server. */
function recordOf(bundle: Bundle): Record {
  const names = new Map(
    (bundle.entry ?? []).map(({ fullUrl, resource }) => [fullUrl, `${resource?.resourceType}/${resource?.id}`])
  );
  const text = JSON.stringify(bundle.entry, (key, value: string) =>
    key === 'reference' ? (names.get(value) ?? value) : value
  );
  const entries = JSON.parse(text) as { resource: Resource }[];
  const resources = entries.map(({ resource }) => resource).filter(isReplicated);
  return {
    patient: resources.find((resource): resource is Patient => resource.resourceType === 'Patient') as Patient,
    resources,
  };
}
