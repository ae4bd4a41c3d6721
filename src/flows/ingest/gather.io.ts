/** Reads what a request is judged on: a few batches of searches, however many entries it has. */
import type { Basic, Bundle, Consent, Organization, Patient, Resource } from '@medplum/fhirtypes';
import { sourceFault } from '../../observability/fault.ts';
import type { SourceFhir } from '../../ports.ts';
import { isObject, listOf } from '../../rules/ingest/elements.ts';
import type { Elements } from '../../rules/ingest/elements.ts';
import type { Systems } from '../../fhir/systems.ts';
import { isLink, linkIn } from '../link.ts';
import { partnerLinksIn, partnerLinksSearch } from '../partner-link.ts';
import type { Known, Sender, Wanted } from './known.ts';
import { isOfOrganization, isReplaced } from './plan.ts';
import { identifiersOf } from './received.ts';

/** Searches of one batch, and names in one search: URLs of a few kilobytes. */
const SEARCHES = 40;
const NAMES = 40;

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param requester - Who asks, as the platform says.
 * @returns In whose name they send; undefined for everybody who is not the client of exactly one active Organization.
 */
export async function senderOf(
  source: SourceFhir,
  systems: Systems,
  requester: string | undefined
): Promise<Sender | undefined> {
  const [type, id = ''] = requester?.split('/') ?? [];
  if (requester === undefined || type !== 'ClientApplication') {
    return undefined;
  }
  const term = encodeURIComponent(`${systems.ingestClient}|${id}`);
  const found = (await all(source, [`Organization?identifier=${term}&_count=10`])).flat() as Organization[];
  const [organization, another] = found.filter(
    ({ active, identifier = [] }) =>
      active !== false && identifier.some(({ system, value }) => system === systems.ingestClient && value === id)
  );
  return organization?.id && !another ? { client: requester, organizationId: organization.id } : undefined;
}

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param sender - Who sends: of patients, only those of their organization are known.
 * @param wanted - What is to be looked up.
 * @returns The state of the source.
 * @throws Fault `source-*` when anything cannot be read: an unread record is never an absent one.
 */
export async function gather(source: SourceFhir, systems: Systems, sender: Sender, wanted: Wanted): Promise<Known> {
  const { organizationId } = sender;
  const terms = (system: string, values: readonly string[]): string =>
    values.map((value) => encodeURIComponent(`${system}|${value}`)).join(',');
  const keyed = [...wanted.keys].flatMap(([type, keys]) =>
    lots(keys, NAMES).map((lot) => `${type}?identifier=${terms(systems.ingested, lot)}&_count=1000`)
  );
  const linked = lots(wanted.tokens, NAMES).map(
    (lot) =>
      `Basic?code=${encodeURIComponent(`${systems.control}|patient-link`)}&identifier=${terms(systems.patientToken, lot)}&_count=1000`
  );
  const named = wanted.patients.map(
    ({ system, value }) =>
      `Patient?organization=Organization/${organizationId}&identifier=${encodeURIComponent(`${system}|${value}`)}&_count=10`
  );
  const partnered = lots(wanted.keys.get('Patient') ?? [], NAMES).map((lot) => partnerLinksSearch(systems, lot));
  const found = await all(source, [...keyed, ...linked, ...named, ...partnered]);
  const takenLists = found.slice(0, keyed.length).flat();
  const links = found
    .slice(keyed.length, keyed.length + linked.length)
    .flat()
    .filter(isLink);
  const byIdentifier = found
    .slice(keyed.length + linked.length, keyed.length + linked.length + named.length)
    .flat() as Patient[];
  const partners = partnerLinksIn(systems, found.slice(found.length - partnered.length).flat());

  const ownerOf = new Map(links.map((link) => [link.id, linkIn(systems, [link])?.patientId ?? '']));
  const ids = [...new Set([...ownerOf.values(), ...partners.values()].filter(Boolean))];
  const byLink = (
    await all(
      source,
      lots(ids, NAMES).map((lot) => `Patient?_id=${lot.join(',')}&_count=1000`)
    )
  ).flat();
  const own = (patients: readonly Resource[]): Patient[] =>
    (patients as readonly Patient[]).filter((patient) => isOfOrganization(patient, organizationId));
  const patients = new Map<string, Patient[]>([
    ...wanted.tokens.map((token): [string, Patient[]] => {
      const owners = links.filter((link) => holds(link, systems.patientToken, token)).map(({ id }) => ownerOf.get(id));
      return [`token:${token}`, own(byLink).filter(({ id }) => owners.includes(id))];
    }),
    ...wanted.patients.map(({ system, value }): [string, Patient[]] => [
      `identifier:${system}|${value}`,
      distinct(own(byIdentifier).filter((patient) => holds(patient, system, value))),
    ]),
  ]);
  const taken = new Map(
    takenLists.flatMap((resource) =>
      identifiersOf(resource as unknown as Elements)
        .filter(({ system }) => system === systems.ingested)
        .map(({ value }): [string, Resource] => [`key:${resource.resourceType}:${value}`, resource])
    )
  );
  const linkedPatients = new Map(
    [...partners].flatMap(([key, id]) => {
      const patient = (byLink as readonly Patient[]).find((one) => one.id === id);
      return patient && !isReplaced(patient) ? [[`key:Patient:${key}`, patient] as const] : [];
    })
  );
  const people = [...[...patients.values()].flat(), ...linkedPatients.values()];
  return { patients, taken, linked: linkedPatients, consents: await consentsOf(source, people, [...taken.values()]) };
}

async function consentsOf(
  source: SourceFhir,
  patients: readonly Patient[],
  taken: readonly Resource[]
): Promise<Known['consents']> {
  const ids = new Set(
    [...patients, ...taken.filter(({ resourceType }) => resourceType === 'Patient')].map(({ id = '' }) => id)
  );
  const consents = new Map<string, Consent[]>([...ids].map((id) => [id, []]));
  const urls = lots([...ids], NAMES).map(
    (lot) => `Consent?patient=${lot.map((id) => `Patient/${id}`).join(',')}&_count=1000`
  );
  for (const consent of (await all(source, urls)).flat() as Consent[]) {
    consents.get(consent.patient?.reference?.split('/')[1] ?? '')?.push(consent);
  }
  return consents;
}

/** All pages of every search. */
async function all(source: SourceFhir, urls: readonly string[]): Promise<Resource[][]> {
  const lists: Resource[][] = [];
  for (const lot of lots(urls, SEARCHES)) {
    for (const { status, resource } of await source.read(lot)) {
      if (resource?.resourceType !== 'Bundle') {
        throw sourceFault(status);
      }
      const found: Resource[] = [];
      for (let page: Bundle | undefined = resource; page;) {
        found.push(...(page.entry ?? []).flatMap((entry) => entry.resource ?? []));
        const next: string | undefined = page.link?.find(({ relation }) => relation === 'next')?.url;
        page = next ? await source.search(next) : undefined;
      }
      lists.push(found);
    }
  }
  return lists;
}

function lots<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size)
  );
}

function distinct(patients: readonly Patient[]): Patient[] {
  return [...new Map(patients.map((patient) => [patient.id, patient])).values()];
}

/** A search finds what the server takes for equal; this is what is. */
function holds(resource: Patient | Basic, system: string, value: string): boolean {
  return listOf(resource.identifier).some(
    (each) => isObject(each) && each['system'] === system && each['value'] === value
  );
}
