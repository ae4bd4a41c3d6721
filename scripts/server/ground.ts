/** What a contract is checked on: two real projects, each seen by its admin, and the bots between them. */
import type { Bot, Bundle, Consent, Encounter, Observation, Patient, Resource, Subscription } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WithId } from '@medplum/core';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Server } from '../deploy/server.ts';
import { consentToShare } from '../story/consent.ts';
import type { Rest } from '../story/rest.ts';
import type { Made } from './projects.ts';

export interface Ground {
  readonly source: Rest;
  readonly replica: Rest;
  /** The source as its admin, for what is not FHIR. */
  readonly admin: Server;
  /** Over both projects, for what no admin may: to say when something was stored. */
  readonly superAdmin: Server;
  readonly project: Made;
  /** The AUDIT_SIGNING_KEY of the source. */
  readonly auditKey: string;
  /** Sets settings in the source, by `npm run secrets`; the rest stays. */
  configure(settings: Readonly<Record<string, string>>): Promise<void>;
}

/** What one check of a contract has seen. Throws `Breach` when it is not as promised. */
export interface Check {
  readonly bot: string;
  readonly promise: string;
  prove(ground: Ground): Promise<string>;
}

/** A promise that was not kept. */
export class Breach extends Error {}

/** Longer than any event takes that is going to come. */
const PATIENCE_MS = 30_000;

/**
 * Looks until it is as expected.
 *
 * @param what - What is looked for, for the complaint.
 * @param look - How to look.
 * @param isExpected - Whether that is it.
 * @returns What was seen.
 * @throws Breach when patience ends.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T>,
  isExpected: (found: T) => boolean
): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (isExpected(found)) {
      return found;
    }
    if (Date.now() > end) {
      throw new Breach(`${what}: still ${JSON.stringify(found)?.slice(0, 300)}`);
    }
    await sleep(200);
  }
}

/**
 * @param isKept - Whether the promise is kept.
 * @param otherwise - What was seen instead.
 * @throws Breach
 */
export function must(isKept: boolean, otherwise: string): asserts isKept {
  if (!isKept) {
    throw new Breach(otherwise);
  }
}

/**
 * Calls a bot as the admin does.
 *
 * @param ground - The servers.
 * @param bot - Its name.
 * @param input - The body; for GET the query.
 * @param method - POST by default.
 * @returns Its answer.
 */
export async function execute<T>(
  { source }: Ground,
  bot: string,
  input: Readonly<Record<string, string>> = {},
  method: 'GET' | 'POST' = 'POST'
): Promise<T> {
  const query = new URLSearchParams({
    identifier: `${systemsOf().bot}|${bot}`,
    ...(method === 'GET' && input),
  }).toString();
  const path = `Bot/$execute?${query}`;
  const answer =
    method === 'GET'
      ? await source.get<Resource>(path)
      : await source.send<Resource>('POST', path, input as unknown as Resource);
  return answer as unknown as T;
}

/** A patient of one check, so that checks do not see each other. */
export interface Admitted {
  readonly patient: WithId<Patient>;
  readonly encounter: WithId<Encounter>;
  readonly pulse: WithId<Observation>;
}

/** The name of every patient here; it must be found nowhere but in the source. */
export const FAMILY = 'Zebedee-Quux';

/**
 * @param ground - The servers.
 * @returns A Patient with an Encounter and an Observation, in one transaction.
 */
export async function admit({ source }: Ground): Promise<Admitted> {
  const patient: Patient = {
    resourceType: 'Patient',
    name: [{ family: FAMILY, given: ['Ada'] }],
    gender: 'female',
    birthDate: '1971-03-04',
    identifier: [{ system: 'urn:mrn', value: `MRN-${Math.random()}` }],
  };
  const made = await source.send<Patient>('POST', 'Patient', patient);
  const encounter = await source.send<Encounter>('POST', 'Encounter', {
    resourceType: 'Encounter',
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: `Patient/${made.id}`, display: FAMILY },
    period: { start: '2024-05-06T07:08:09Z', end: '2024-05-06T07:38:09Z' },
  });
  const pulse = await source.send<Observation>(
    'POST',
    'Observation',
    observation(made.id ?? '', encounter.id ?? '', 72)
  );
  return {
    patient: made as WithId<Patient>,
    encounter: encounter as WithId<Encounter>,
    pulse: pulse as WithId<Observation>,
  };
}

/** A heart rate. */
export function observation(patientId: string, encounterId: string, value: number): Observation {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: {
      coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }],
      text: `pulse of ${FAMILY}`,
    },
    subject: { reference: `Patient/${patientId}` },
    encounter: { reference: `Encounter/${encounterId}` },
    effectiveDateTime: '2024-05-06T07:10:11Z',
    valueQuantity: { value, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
}

/** @returns The Consent that was given. */
export async function consent(
  { source }: Ground,
  { patient }: Admitted,
  classes?: readonly string[]
): Promise<WithId<Consent>> {
  return source.send<WithId<Consent>>('POST', 'Consent', consentToShare(`Patient/${patient.id}`, classes));
}

/** What the replica holds of one patient. */
export interface Held {
  readonly Patient: number;
  readonly Encounter: number;
  readonly Observation: number;
  /** The values of the copied Observations, in order. */
  readonly values: readonly (number | undefined)[];
}

/**
 * @param ground - The servers.
 * @param patientId - A patient of the source.
 * @returns What the replica holds of them, found by the token that the link tells.
 */
export async function held(ground: Ground, patientId: string): Promise<Held> {
  const copies = await copiesOf(ground, patientId);
  const of = (type: string): Resource[] => copies.filter(({ resourceType }) => resourceType === type);
  const observations = of('Observation') as Observation[];
  return {
    Patient: of('Patient').length,
    Encounter: of('Encounter').length,
    Observation: observations.length,
    values: observations.map(({ valueQuantity }) => valueQuantity?.value).sort(),
  };
}

/** @returns The copies of a patient, children first. */
export async function copiesOf({ source, replica }: Ground, patientId: string): Promise<Resource[]> {
  const { patientToken, control } = systemsOf();
  const links = await source.get<Bundle>(
    `Basic?code=${encodeURIComponent(`${control}|patient-link`)}&subject=Patient/${patientId}`
  );
  const link = links.entry?.[0]?.resource as
    { identifier?: { system?: string; use?: string; value?: string }[] } | undefined;
  const token = link?.identifier?.find(({ system, use }) => system === patientToken && use === undefined)?.value;
  if (!token) {
    return [];
  }
  const resourcesOf = async (search: string): Promise<Resource[]> =>
    ((await replica.get<Bundle>(search)).entry ?? []).flatMap(({ resource }) => resource ?? []);
  const patients = await resourcesOf(`Patient?identifier=${encodeURIComponent(`${patientToken}|${token}`)}`);
  const subjects = patients.map(({ id }) => `Patient/${id}`).join(',');
  const children = async (type: string): Promise<Resource[]> =>
    patients.length > 0 ? resourcesOf(`${type}?subject=${subjects}&_count=1000`) : [];
  return [
    ...(await children('DocumentReference')),
    ...(await children('Observation')),
    ...(await children('Encounter')),
    ...patients,
  ];
}

/** @returns Whether the replica holds these numbers of the patient's copies. */
export async function holds(ground: Ground, { patient }: Admitted, expected: Partial<Held>): Promise<string> {
  const seen = await eventually(
    `replica, of Patient/${patient.id}, expected ${JSON.stringify(expected)}`,
    () => held(ground, patient.id),
    (found) =>
      Object.entries(expected).every(
        ([name, value]) => JSON.stringify(found[name as keyof Held]) === JSON.stringify(value)
      )
  );
  return `${seen.Patient} Patient, ${seen.Encounter} Encounter, ${seen.Observation} Observation${seen.values.length > 0 ? ` (${seen.values.join(', ')})` : ''}`;
}

export const ALL = { Patient: 1, Encounter: 1, Observation: 1 } as const;
export const NONE = { Patient: 0, Encounter: 0, Observation: 0 } as const;

/**
 * Does something of which no bot hears: the Subscriptions of some types are off meanwhile.
 *
 * @param ground - The servers.
 * @param types - Whose Subscriptions.
 * @param work - What to do.
 * @returns What it returns.
 */
export async function unheard<T>({ source }: Ground, types: readonly string[], work: () => Promise<T>): Promise<T> {
  const { entry = [] } = await source.get<Bundle<Subscription>>('Subscription?_count=100');
  const subscriptions = entry.flatMap(({ resource }) =>
    resource && types.includes(resource.criteria) ? [resource] : []
  );
  must(subscriptions.length === types.length, `${subscriptions.length} Subscriptions for ${types.join()}`);
  const turn = async (status: Subscription['status']): Promise<void> => {
    for (const subscription of subscriptions) {
      await source.send('PUT', `Subscription/${subscription.id}`, { ...subscription, status });
    }
  };
  await turn('off');
  try {
    return await work();
  } finally {
    // Events of what was written a moment ago are matched against the Subscriptions as they are then.
    await sleep(1500);
    await turn('active');
  }
}

export const EVERYTHING = [...REPLICATED_TYPES, 'Consent'];

/** @returns The bots by name. */
export async function botsOf({ source }: Ground): Promise<ReadonlyMap<string, WithId<Bot>>> {
  const { entry = [] } = await source.get<Bundle<WithId<Bot>>>(
    `Bot?identifier=${encodeURIComponent(`${systemsOf().bot}|`)}&_count=100`
  );
  return new Map(entry.flatMap(({ resource }) => (resource ? [[resource.name ?? '', resource] as const] : [])));
}
