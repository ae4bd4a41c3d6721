/**
 * The link of a patient: a Basic in the source that says under which token the patient is known on the replica. It is
 * written before anything is sent, so its absence proves that nothing has to be taken back, and it resolves inbound
 * `Patient/pt_…` by search. It is not an identifier on the Patient: a bot never writes to what triggers it.
 */
import type { Basic } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';

/**
 * @param systems - Our systems.
 * @param patientToken - `pt_…`.
 * @returns A FHIR-relative search for the link.
 */
export function linkSearch(systems: Systems, patientToken: string): string {
  return `Basic?identifier=${encodeURIComponent(`${systems.patientToken}|${patientToken}`)}&_count=1`;
}

/**
 * @param systems - Our systems.
 * @param patientId - The source Patient.
 * @param patientToken - Its token.
 * @returns The link to write.
 */
export function linkOf(systems: Systems, patientId: string, patientToken: string): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.patientToken, value: patientToken }],
    code: { coding: [{ system: systems.control, code: 'patient-link' }] },
    subject: { reference: `Patient/${patientId}` },
  };
}
