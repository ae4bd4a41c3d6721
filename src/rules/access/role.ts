/** Who a requester is towards one patient. From `event.requester` and the source's own records, never from what the caller says. */
import type { Encounter, PractitionerRole } from '@medplum/fhirtypes';

/** In the order in which they are taken when somebody has several. */
export const ROLES = ['PATIENT', 'CLINICIAN', 'ADMIN', 'RESEARCHER'] as const;
export type Role = (typeof ROLES)[number];

/** What is known of a requester. */
export interface Requester {
  /** `Practitioner/id` and the like; undefined when nobody asked. */
  readonly reference: string | undefined;
  /** The PractitionerRoles that name them. */
  readonly roles: readonly PractitionerRole[];
  /** Encounters of the patient. */
  readonly encounters: readonly Encounter[];
  /** ClientApplications that count as ADMIN. */
  readonly adminClients: readonly string[];
}

/** Where a role is looked for. */
export interface Setting {
  /** The patient whom it is about; undefined when there is none. */
  readonly patientId: string | undefined;
  /** The code system of ADMIN and RESEARCHER. */
  readonly roleSystem: string;
  /** The instant. */
  readonly at: string;
}

/** An Encounter in one of these is going on (FHIR R4 encounter-status). */
export const ACTIVE = ['arrived', 'triaged', 'in-progress', 'onleave'] as const;

/**
 * All roles of a requester towards a patient.
 *
 * @param requester - What is known of them.
 * @param setting - The patient, the code system, the instant.
 * @returns The roles, in the order of `ROLES`.
 */
export function rolesOf(requester: Requester, setting: Setting): Role[] {
  const { reference, adminClients } = requester;
  if (reference === undefined) {
    return [];
  }
  const [type] = reference.split('/');
  const has: Readonly<Record<Role, boolean>> = {
    PATIENT: setting.patientId !== undefined && reference === `Patient/${setting.patientId}`,
    CLINICIAN: type === 'Practitioner' && takesPart(requester, setting),
    ADMIN: (type === 'Practitioner' && isNamed('ADMIN', requester, setting)) || adminClients.includes(reference),
    RESEARCHER: type === 'Practitioner' && isNamed('RESEARCHER', requester, setting),
  };
  return ROLES.filter((role) => has[role]);
}

/**
 * The references that stand for a requester: the person, their roles, and the organizations they hold these for.
 *
 * @param requester - What is known of them.
 * @param at - The instant.
 * @returns `Type/id` references.
 */
export function actorsOf({ reference, roles }: Requester, at: string): string[] {
  const held = roles.filter((role) => isHeld(role, at));
  const references = held.flatMap(({ id, organization }) => [
    ...(id ? [`PractitionerRole/${id}`] : []),
    ...(organization?.reference ? [organization.reference] : []),
  ]);
  return [...(reference ? [reference] : []), ...new Set(references)];
}

function takesPart(requester: Requester, { patientId, at }: Setting): boolean {
  const themselves = actorsOf(requester, at).filter((reference) => /^Practitioner(Role)?\//.test(reference));
  return requester.encounters.some(
    ({ status, subject, participant }) =>
      (ACTIVE as readonly string[]).includes(status) &&
      patientId !== undefined &&
      subject?.reference === `Patient/${patientId}` &&
      participant?.some(
        ({ individual, period }) => themselves.includes(individual?.reference ?? '') && isWithin(period, at)
      )
  );
}

/** A code of our system, or one without a system; a site's own ADMIN may be anything, so that of another system is none. */
function isNamed(name: Role, { roles }: Requester, { roleSystem, at }: Setting): boolean {
  return roles
    .filter((role) => isHeld(role, at))
    .flatMap(({ code }) => code ?? [])
    .some(
      ({ coding, text }) =>
        text === name ||
        coding?.some(({ system, code }) => code === name && (system === undefined || system === roleSystem))
    );
}

function isHeld({ active, period }: PractitionerRole, at: string): boolean {
  return active !== false && isWithin(period, at);
}

/** Days count as a whole; instants are compared as such. What cannot be read has ended. */
function isWithin(period: { readonly start?: string; readonly end?: string } | undefined, at: string): boolean {
  const now = Date.parse(at);
  const from = period?.start === undefined ? -Infinity : Date.parse(period.start);
  const end = period?.end;
  const until = end === undefined ? Infinity : Date.parse(end.length === 10 ? `${end}T23:59:59.999Z` : end);
  return from <= now && now <= until;
}
