/** In which relation somebody who asks for copies stands to a patient. Pure. */
import type { Consent, Encounter, Patient, PractitionerRole } from '@medplum/fhirtypes';
import type { Config } from '../config/load.ts';
import type { Requester } from '../rules/access/role.ts';
import type { SavedLink } from './link.ts';

/** The state of the source, as far as the standing of the requester goes. */
export interface StandingFacts {
  /** Whose record is asked for; undefined when the token or id is nobody's. */
  readonly patient: Patient | undefined;
  readonly link: SavedLink | undefined;
  readonly consents: readonly Consent[];
  /** Of the requester. */
  readonly roles: readonly PractitionerRole[];
  /** Active ones of the patient, in which the requester takes part. */
  readonly encounters: readonly Encounter[];
}

/** In whose name, and when. */
export interface Asker {
  /** `Practitioner/id` and the like, as the platform says; never what the caller says. */
  readonly requester: string | undefined;
  readonly at: string;
}

/**
 * @param facts - What is known of the requester.
 * @param config - The settings.
 * @param asker - In whose name.
 * @returns The same, as the rules of access want it.
 */
export function requesterOf(
  { roles, encounters }: Pick<StandingFacts, 'roles' | 'encounters'>,
  { adminClients }: Config,
  { requester }: Asker
): Requester {
  return { reference: requester, roles, encounters, adminClients };
}

/**
 * @param patient - A patient.
 * @returns Where they are looked after, as Medplum says it (`meta.accounts`) and as FHIR does.
 */
export function organizationsOf(patient: Patient | undefined): string[] {
  const meta = patient?.meta as { readonly accounts?: readonly { readonly reference?: string }[] } | undefined;
  const references = [patient?.managingOrganization?.reference, ...(meta?.accounts ?? []).map((one) => one.reference)];
  return references.flatMap((reference) => (reference === undefined ? [] : [reference]));
}
