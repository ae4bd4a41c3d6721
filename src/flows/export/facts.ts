/** What an export is decided on. */
import type { Consent, Encounter, Patient, PractitionerRole } from '@medplum/fhirtypes';
import type { SavedLink } from '../link.ts';

/** The state of the source, as far as the standing of the requester goes. */
export interface ExportFacts {
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
