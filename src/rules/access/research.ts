/** Who may export cohorts for research. */
import { rolesOf } from './role.ts';
import type { Requester, Role, Setting } from './role.ts';

/** The only purpose for which a cohort is exported (v3-ActReason, healthcare research): whatever the role, the Consents are asked for it. */
export const RESEARCH = 'HRESCH';

/**
 * @param requester - What is known of them.
 * @param setting - The code system, the instant.
 * @returns ADMIN or RESEARCHER; undefined for anybody else: who treats patients has no part in this.
 */
export function mayResearch(requester: Requester, setting: Omit<Setting, 'patientId'>): Role | undefined {
  const roles = rolesOf(requester, { ...setting, patientId: undefined });
  return roles.find((role) => role === 'RESEARCHER' || role === 'ADMIN');
}
