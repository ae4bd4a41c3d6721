/** The broken glass of late, as an ADMIN sees it. Pure. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { V3_ACT_REASON } from '../../fhir/systems.ts';
import type { Vault } from '../../ports.ts';

/** One time that somebody broke the glass, or tried to. */
export interface Broken {
  readonly at: string;
  readonly requester?: string;
  readonly role?: string;
  readonly patient?: string;
  readonly token?: string;
  readonly purposes: readonly string[];
  readonly outcome: string;
  readonly correlationId: string;
  /** In the caller's words; absent when it cannot be read under the present keys. */
  readonly reason?: string;
}

const MOST = 100;

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for the newest ones.
 */
export function brokenSearch(systems: Systems): string {
  const type = encodeURIComponent(`${systems.auditType}|FHIR_REVEAL`);
  const subtype = encodeURIComponent(`${systems.auditDetail}|break-glass`);
  return `AuditEvent?type=${type}&subtype=${subtype}&_sort=-date&_count=${MOST}`;
}

/**
 * @param event - An event that the search found.
 * @param vault - Opens the reason.
 * @returns What it says.
 */
export function brokenOf(event: AuditEvent, vault: Vault | undefined): Broken {
  const { agent, entity = [], purposeOfEvent = [], outcomeDesc = '', recorded } = event;
  const whose = entity.find(({ role }) => role?.code === '1')?.what;
  const job = entity.find(({ role }) => role?.code === '20');
  const correlationId = job?.what?.identifier?.value ?? '';
  const [requester, role] = [agent[0]?.who?.reference, agent[0]?.role?.[0]?.coding?.[0]?.code];
  const token = whose?.identifier?.value;
  const sealed = job?.detail?.find(({ type }) => type === 'reason')?.valueString;
  const reason = sealed && vault?.open(sealed, reasonLabel(token, correlationId));
  const codings = purposeOfEvent.flatMap(({ coding }) => coding ?? []);
  return {
    at: recorded,
    ...(requester && { requester }),
    ...(role && { role }),
    ...(whose?.reference && { patient: whose.reference }),
    ...(token && { token }),
    purposes: codings.flatMap(({ system, code }) => (system === V3_ACT_REASON && code ? [code] : [])),
    outcome: outcomeDesc,
    correlationId,
    ...(reason && { reason }),
  };
}

/**
 * What a reason is bound to: it cannot be moved to another event.
 *
 * @param token - The token that was asked for, if it was one.
 * @param correlationId - Of the run.
 * @returns The label.
 */
export function reasonLabel(
  token: string | undefined,
  correlationId: string
): { readonly token: string; readonly version: string } {
  return { token: `reason/${token ?? ''}`, version: correlationId };
}
