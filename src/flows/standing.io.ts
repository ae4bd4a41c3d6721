/** Reads in which relation somebody who asks for copies stands to a patient. */
import type { Consent, Encounter, Patient, PractitionerRole, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import type { SourceFhir } from '../ports.ts';
import { ACTIVE } from '../rules/access/role.ts';
import { linkIn, linkTerm } from './link.ts';
import { readAll } from './read-all.io.ts';
import type { StandingFacts } from './standing.ts';

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param patient - Whom the caller names; undefined for nobody.
 * @param requester - Who asks.
 * @returns The facts, in two requests.
 * @throws Fault `source-*` when anything cannot be read: an unread Consent is never an absent one.
 */
export async function gatherStanding(
  source: SourceFhir,
  systems: Systems,
  patient: { readonly id: string } | { readonly token: string } | undefined,
  requester: string | undefined
): Promise<StandingFacts> {
  if (!patient) {
    const [own = []] = await readAll(source, rolesSearch(requester));
    return { link: undefined, roles: own as PractitionerRole[], patient: undefined, consents: [], encounters: [] };
  }
  const term = 'token' in patient ? `${systems.patientToken}|${patient.token}` : linkTerm(systems, patient.id);
  const [links = [], roles = []] = await readAll(source, [
    `Basic?identifier=${encodeURIComponent(term)}&_count=10`,
    ...rolesSearch(requester),
  ]);
  const link = linkIn(systems, links);
  const patientId = 'token' in patient ? link?.patientId : patient.id;
  const own = { link, roles: roles as PractitionerRole[] };
  if (!patientId) {
    return { ...own, patient: undefined, consents: [], encounters: [] };
  }
  return { ...own, ...(await gatherPatient(source, patientId, requester, roles)) };
}

/**
 * @param requester - Who asks.
 * @returns The search for the roles of a person; none for anybody else.
 */
export function rolesSearch(requester: string | undefined): string[] {
  return isPerson(requester) ? [`PractitionerRole?practitioner=${requester}&_count=100`] : [];
}

/**
 * @param source - The source.
 * @param patientId - The patient.
 * @param requester - Who asks.
 * @param roles - Their PractitionerRoles.
 * @returns The patient, their Consents, and the active Encounters in which the requester takes part; one request.
 * @throws Fault `source-*` when anything cannot be read.
 */
export async function gatherPatient(
  source: SourceFhir,
  patientId: string,
  requester: string | undefined,
  roles: readonly Resource[]
): Promise<Pick<StandingFacts, 'patient' | 'consents' | 'encounters'>> {
  const participants = [requester, ...roles.map(({ id }) => `PractitionerRole/${id}`)].join(',');
  const [patients = [], consents = [], encounters = []] = await readAll(source, [
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=100`,
    ...(isPerson(requester)
      ? [`Encounter?subject=Patient/${patientId}&participant=${participants}&status=${ACTIVE.join(',')}&_count=100`]
      : []),
  ]);
  return {
    patient: patients[0] as Patient | undefined,
    consents: consents as Consent[],
    encounters: encounters as Encounter[],
  };
}

function isPerson(requester: string | undefined): boolean {
  return requester?.split('/')[0] === 'Practitioner';
}
