/** Reads what a reveal is decided on: whose the token is, who asks, what the Consents say. */
import type { Bundle, Consent, Encounter, Patient, PractitionerRole, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { Fault } from '../../observability/fault.ts';
import type { Fetched, SourceFhir } from '../../ports.ts';
import { ACTIVE } from '../../rules/access/role.ts';
import { linkIn } from '../link.ts';
import { keptOf, payloadTerm } from '../payload.ts';
import type { RevealFacts } from './facts.ts';

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param token - The token, if one was given.
 * @param requester - Who asks.
 * @returns The facts, in two requests; one when the token is nobody's.
 * @throws Fault `source-*` when anything cannot be read: an unread Consent is never an absent one.
 */
export async function gatherReveal(
  source: SourceFhir,
  systems: Systems,
  token: string | undefined,
  requester: string | undefined
): Promise<RevealFacts> {
  const terms = [`${systems.patientToken}|${token ?? ''}`, payloadTerm(systems, token ?? '')].map(encodeURIComponent);
  const isPractitioner = requester?.split('/')[0] === 'Practitioner';
  const [controls = [], roles = []] = await readAll(source, [
    ...(token === undefined ? [] : [`Basic?identifier=${terms.join(',')}&_count=10`]),
    ...(isPractitioner ? [`PractitionerRole?practitioner=${requester}&_count=100`] : []),
  ]).then((found) => (token === undefined ? [[], ...found] : found));
  const kept = token === undefined ? undefined : keptOf(systems, controls, { token });
  const patientId = linkIn(systems, controls)?.patientId ?? (kept?.patientId || undefined);
  const own = { patientId, kept, roles: roles as PractitionerRole[] };
  if (patientId === undefined) {
    return { ...own, patient: undefined, consents: [], encounters: [] };
  }
  const participants = [requester, ...roles.map(({ id }) => `PractitionerRole/${id}`)].join(',');
  const [patient = [], consents = [], encounters = []] = await readAll(source, [
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=100`,
    ...(isPractitioner
      ? [`Encounter?subject=Patient/${patientId}&participant=${participants}&status=${ACTIVE.join(',')}&_count=100`]
      : []),
  ]);
  return {
    ...own,
    patient: patient[0] as Patient | undefined,
    consents: consents as Consent[],
    encounters: encounters as Encounter[],
  };
}

/** All pages of every search; a read is a list of one, or of none when there is nothing. */
async function readAll(source: SourceFhir, urls: readonly string[]): Promise<Resource[][]> {
  const answers = urls.length > 0 ? await source.read(urls) : [];
  const lists: Resource[][] = [];
  for (const answer of answers) {
    lists.push(await pagesOf(source, answer));
  }
  return lists;
}

async function pagesOf(source: SourceFhir, { status, resource }: Fetched): Promise<Resource[]> {
  if (!resource) {
    if (status === 404 || status === 410) {
      return [];
    }
    throw new Fault(status >= 500 || status === 429 ? 'source-unavailable' : 'source-refused', [`status ${status}`]);
  }
  if (resource.resourceType !== 'Bundle') {
    return [resource];
  }
  const found: Resource[] = [];
  for (let page: Bundle | undefined = resource; page;) {
    found.push(...(page.entry ?? []).flatMap((entry) => entry.resource ?? []));
    const next: string | undefined = page.link?.find(({ relation }) => relation === 'next')?.url;
    page = next ? await source.search(next) : undefined;
  }
  return found;
}
