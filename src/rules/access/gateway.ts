/** Who may ask the replica through the gateway, and for which purpose a Consent then has to permit it. */
import { mayExport } from './export.ts';
import type { ExportStanding } from './export.ts';
import { rolesOf } from './role.ts';
import type { Requester, Role, Setting } from './role.ts';

/**
 * Judges a request about one patient, whom it names or whose copy it has found: as an export, and a researcher besides. A researcher
 * is shown copies only, never who is behind them, and only of patients who consent to research.
 *
 * @param requester - What is known of them.
 * @param setting - The patient, the code system, the instant.
 * @param organizations - Of the patient.
 * @returns The role that counts, or why not.
 */
export function mayPass(requester: Requester, setting: Setting, organizations: readonly string[]): ExportStanding {
  const standing = mayExport(requester, setting, organizations);
  return !standing.ok && rolesOf(requester, setting).includes('RESEARCHER')
    ? { ok: true, role: 'RESEARCHER' }
    : standing;
}

/**
 * Judges a request that names no patient: only who looks at many may make one.
 *
 * @param requester - What is known of them.
 * @param setting - The code system, the instant.
 * @returns The role, or undefined.
 */
export function mayBrowse(requester: Requester, setting: Omit<Setting, 'patientId'>): Role | undefined {
  return rolesOf(requester, { ...setting, patientId: undefined })[0];
}

/**
 * @param role - The role that counts.
 * @param purpose - For which the replica is kept.
 * @returns A v3-ActReason: for which purpose the Consent has to permit it.
 */
export function purposeOf(role: Role, purpose: string): string {
  return role === 'RESEARCHER' ? 'HRESCH' : purpose;
}
