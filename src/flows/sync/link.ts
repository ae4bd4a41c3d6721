/**
 * The link of a patient: a Basic in the source that says under which token the patient is known on the replica. It is
 * written before anything is sent, so its absence proves that nothing has to be taken back, and it resolves inbound
 * `Patient/pt_…` by search. It is not an identifier on the Patient: a bot never writes to what triggers it.
 */
import type { Basic } from '@medplum/fhirtypes';
import { keepsOriginal } from '../../config/policy.ts';
import type { Systems } from '../../fhir/systems.ts';
import type { PatientKeys } from '../../rules/deid/keys.ts';
import { payloadTerm } from '../payload.ts';
import type { Hint } from './facts.ts';

/**
 * @param systems - Our systems.
 * @param patientToken - `pt_…`.
 * @param tokens - Of records whose encrypted originals are asked for in the same search.
 * @returns A FHIR-relative search for the link.
 */
export function linkSearch(systems: Systems, patientToken: string, tokens: readonly string[] = []): string {
  const terms = [`${systems.patientToken}|${patientToken}`, ...tokens.map((token) => payloadTerm(systems, token))];
  return `Basic?identifier=${terms.map(encodeURIComponent).join(',')}&_count=${terms.length}`;
}

/**
 * @param keys - The patient's keys.
 * @param hints - Records.
 * @returns The tokens of those whose originals are kept.
 */
export function tokensWithOriginal(keys: PatientKeys, hints: readonly Hint[]): string[] {
  return hints
    .filter(({ resourceType }) => keepsOriginal(resourceType))
    .map(({ resourceType, id }) => (resourceType === 'Patient' ? keys.patientToken : keys.token(resourceType, id)));
}

/**
 * @param basic - A control resource.
 * @returns Whether it is the link of a patient.
 */
export function isLink(basic: Basic): boolean {
  return basic.code.coding?.[0]?.code === 'patient-link';
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
