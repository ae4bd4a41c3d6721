/** A Consent that lets a patient's record be copied, of the simple model. */
import type { Consent } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { consentOf } from '../../src/rules/consent/simple.ts';

/**
 * @param patient - `Patient/id`.
 * @param classes - The data classes that may be copied; all but genetics by default.
 * @returns An active Consent to disclose them for treatment.
 */
export function consentToShare(patient: string, classes?: readonly string[]): Consent {
  return consentOf({ patient, classes }, systemsOf().dataClass);
}
