/** Reads what the replica answers, and of the source what decides who may see it. */
import type { Consent, Patient, Resource } from '@medplum/fhirtypes';
import { patientIdOf, patientSearch } from '../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import type { Inspected, ReplicaFhir, SourceFhir } from '../../ports.ts';
import { linkIn } from '../link.ts';
import type { SavedLink } from '../link.ts';
import { readAll } from '../read-all.io.ts';
import { searchOf } from './input.ts';
import type { GatewayAsk } from './input.ts';
import type { Person } from './people.ts';

/** What the replica holds of what was asked for. */
export interface Found {
  readonly matches: readonly Inspected[];
  /** Copies that go along, because the request includes them. */
  readonly included: readonly Inspected[];
  /** The tokens of the patients whose copies these are. */
  readonly patientTokens: readonly string[];
  readonly hasMore: boolean;
}

const NONE: Found = { matches: [], included: [], patientTokens: [], hasMore: false };

/** Tokens are forty characters long with their system, and a URL may not be of any length. */
const TERMS = 25;

/**
 * Passes the request on. Copies that are included are searched for by us: a search with `_include` leaks connections on Medplum 5.0.10
 * (`platform.md` §4.1), and would bring whatever the replica thinks is referred to.
 *
 * @param replica - The replica.
 * @param systems - Our systems.
 * @param ask - The request.
 * @param tokens - The tokens of the named patient under which copies may be; undefined when none is named.
 * @returns What was found, of whomever.
 * @throws Fault `replica-*`.
 */
export async function passOn(
  replica: ReplicaFhir,
  systems: Systems,
  ask: GatewayAsk,
  tokens: readonly string[] | undefined
): Promise<Found> {
  if (tokens?.length === 0) {
    return NONE;
  }
  const named = tokens && (await replica.find([`${patientsBy('identifier', systems, tokens)}&_fields=identifier`]));
  if (named?.length === 0) {
    return NONE;
  }
  const { copies, next } = await replica.page(
    searchOf(
      ask,
      systems,
      named?.map(({ id }) => id)
    )
  );
  const matches = copies.filter(({ resourceType }) => resourceType === ask.type);
  const targets = (type: string): string[] => [
    ...new Set(matches.flatMap(({ references }) => references.filter((one) => one.startsWith(`${type}/`)))),
  ];
  const wanted = [
    ...(ask.includes.includes('Patient') || !named ? targets('Patient') : []),
    ...(ask.includes.includes('Encounter') ? targets('Encounter') : []),
  ];
  const extra = wanted.length > 0 ? await replica.inspect(byId(wanted)) : [];
  const patients = [...matches, ...extra].filter(({ resourceType }) => resourceType === 'Patient');
  return {
    matches,
    included: extra.filter(({ resourceType }) => (ask.includes as readonly string[]).includes(resourceType)),
    patientTokens: [...(tokens ?? []), ...patients.map(({ token }) => token)],
    hasMore: next !== undefined,
  };
}

function patientsBy(parameter: string, systems: Systems, tokens: readonly string[]): string {
  return `Patient?${parameter}=${tokens.map((token) => encodeURIComponent(`${systems.patientToken}|${token}`)).join(',')}&_count=100`;
}

function byId(references: readonly string[]): string[] {
  const types = Map.groupBy(references, (reference) => reference.split('/')[0] ?? '');
  return [...types].map(
    ([type, own]) => `${type}?_id=${own.map((reference) => reference.split('/')[1]).join(',')}&_count=100`
  );
}

/**
 * Reads who is behind the copies: three requests, whatever their number.
 *
 * @param source - The source.
 * @param systems - Our systems.
 * @param found - What the replica answered.
 * @returns Patients with Consents and with their records of the types that were found. Who is not in a link of ours is not among them.
 * @throws Fault `source-*` when anything cannot be read: an unread Consent is never an absent one.
 */
export async function gatherPeople(source: SourceFhir, systems: Systems, found: Found): Promise<Person[]> {
  const copies = [...found.matches, ...found.included];
  const tokens = copies.length > 0 ? [...new Set(found.patientTokens)] : [];
  const basics = (
    await readAll(
      source,
      chunksOf(tokens).map((chunk) => {
        const terms = chunk.map((token) => encodeURIComponent(`${systems.patientToken}|${token}`)).join(',');
        return `Basic?identifier=${terms}&_count=100`;
      })
    )
  ).flat();
  const links = basics.flatMap((basic) => linkIn(systems, [basic]) ?? []);
  const people = [...new Map(links.map((link) => [link.patientId, link])).values()];
  const types = [...new Set(copies.map(({ resourceType }) => resourceType as ReplicatedType))];
  return readPeople(
    source,
    people,
    types.filter((type) => type !== 'Patient')
  );
}

async function readPeople(
  source: SourceFhir,
  links: readonly SavedLink[],
  types: readonly ReplicatedType[]
): Promise<Person[]> {
  const [patients, consents] = [
    await readAll(
      source,
      links.map(({ patientId }) => `Patient/${patientId}`)
    ),
    await readAll(
      source,
      links.map(({ patientId }) => `Consent?patient=Patient/${patientId}&_count=100`)
    ),
  ];
  const records = new Map<string, Replicated[]>();
  const searches = links.flatMap(({ patientId }) =>
    types.map((type) => `${patientSearch(type, patientId)}&_count=1000&_sort=_lastUpdated`)
  );
  for (const record of (await readAll(source, searches)).flat() as Replicated[]) {
    const id = patientIdOf(record) ?? '';
    records.set(id, [...(records.get(id) ?? []), record]);
  }
  return links.flatMap((link, index) => {
    const [patient] = (patients[index] ?? []) as (Patient & { id: string })[];
    const own: readonly Resource[] = records.get(link.patientId) ?? [];
    return patient ? [{ patient, link, consents: (consents[index] ?? []) as Consent[], records: own }] : [];
  });
}

function chunksOf(tokens: readonly string[]): string[][] {
  const count = Math.ceil(tokens.length / TERMS);
  return Array.from({ length: count }, (_, index) => tokens.slice(index * TERMS, (index + 1) * TERMS));
}
