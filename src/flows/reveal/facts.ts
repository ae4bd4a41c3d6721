/** What a reveal is decided on. */
import type { Consent, Encounter, Patient, PractitionerRole } from '@medplum/fhirtypes';
import type { Kept } from '../payload.ts';

/** The state of the source, as far as it matters. */
export interface RevealFacts {
  /** Whose token it is, if anybody's. */
  readonly patientId: string | undefined;
  readonly patient: Patient | undefined;
  readonly kept: Kept | undefined;
  readonly consents: readonly Consent[];
  /** Of the requester. */
  readonly roles: readonly PractitionerRole[];
  /** Of the patient, in which the requester may take part. */
  readonly encounters: readonly Encounter[];
}
