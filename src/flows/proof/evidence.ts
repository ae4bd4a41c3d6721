/** What a proof is made from. */
import type { AuditEvent, Consent } from '@medplum/fhirtypes';

/** Consents and trail of one patient. */
export interface Evidence {
  /** Versions of all Consents, in no order. */
  readonly consents: readonly Consent[];
  /** Events of ours about the patient, oldest first. */
  readonly events: readonly AuditEvent[];
}
