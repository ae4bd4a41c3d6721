/** Who may export a patient's copies. */
import type { PractitionerRole } from '@medplum/fhirtypes';
import { rolesOf } from './role.ts';
import type { Requester, Role, Setting } from './role.ts';

/** Why somebody may not. */
export type ExportRefusal = 'no-role' | 'researcher' | 'other-organization';

export type ExportStanding =
  | { readonly ok: true; readonly role: Role }
  | { readonly ok: false; readonly reason: ExportRefusal; readonly role?: Role };

/**
 * Judges an export by role alone.
 *
 * - A patient exports what is theirs, a clinician what belongs to somebody in whose active Encounter they take part.
 * - An ADMIN exports what belongs to patients of their organization. A role without an organization reaches the patients who have none;
 *   a program that the settings name has no organization, and reaches all.
 * - A researcher is never shown one patient's record: there is the bulk export of cohorts.
 *
 * @param requester - What is known of them.
 * @param setting - The patient, the code system, the instant.
 * @param organizations - Of the patient: `Organization/id` of `managingOrganization` and `meta.accounts`.
 * @returns The role that counts, or why not.
 */
export function mayExport(requester: Requester, setting: Setting, organizations: readonly string[]): ExportStanding {
  const isOurs = ({ organization }: PractitionerRole): boolean =>
    organization?.reference === undefined
      ? organization === undefined && organizations.length === 0
      : organizations.includes(organization.reference);
  const roles = rolesOf(requester, setting);
  const near = rolesOf({ ...requester, roles: requester.roles.filter(isOurs) }, setting);
  const role = roles.find((one) => one === 'PATIENT' || one === 'CLINICIAN' || (one === 'ADMIN' && near.includes(one)));
  if (role) {
    return { ok: true, role };
  }
  const [first] = roles;
  return first === undefined
    ? { ok: false, reason: 'no-role' }
    : { ok: false, reason: first === 'RESEARCHER' ? 'researcher' : 'other-organization', role: first };
}
