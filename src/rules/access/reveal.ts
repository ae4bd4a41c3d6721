/** Who may ask for an identified original at all, and whether a Consent has to permit it. */
import type { Role } from './role.ts';

/** Why somebody may not ask. */
export type AskRefusal = 'no-role' | 'researcher' | 'research-purpose' | 'break-glass-role';

export type Standing =
  | { readonly ok: true; readonly role: Role; readonly needsConsent: boolean }
  | { readonly ok: false; readonly reason: AskRefusal; readonly role?: Role };

/**
 * Judges an ask by role alone.
 *
 * - A patient sees the own record: that is a right (45 CFR 164.524; GDPR article 15), not a disclosure that somebody consents to.
 * - A clinician who takes part in an active Encounter, and an ADMIN, need a Consent.
 * - Research gets nothing identified, whoever asks.
 * - Break-glass is for an ADMIN, and asks no Consent: it is answered for afterwards.
 *
 * @param roles - Of the requester towards the patient.
 * @param ask - Whether the purpose is research, and whether the glass is to be broken.
 * @returns The role that counts, or why not.
 */
export function mayAsk(
  roles: readonly Role[],
  ask: { readonly isResearch: boolean; readonly isBreakGlass: boolean }
): Standing {
  const [role] = roles;
  if (role === undefined) {
    return { ok: false, reason: 'no-role' };
  }
  if (ask.isBreakGlass) {
    return roles.includes('ADMIN')
      ? { ok: true, role: 'ADMIN', needsConsent: false }
      : { ok: false, reason: 'break-glass-role', role };
  }
  if (role === 'RESEARCHER') {
    return { ok: false, reason: 'researcher', role };
  }
  if (role === 'PATIENT') {
    return { ok: true, role, needsConsent: false };
  }
  return ask.isResearch ? { ok: false, reason: 'research-purpose', role } : { ok: true, role, needsConsent: true };
}
