/** A Consent that lets a patient's record be copied: R4, as strict a form as the evaluator asks for. */
import type { Consent } from '@medplum/fhirtypes';
import { systemsOf, V3_ACT_CODE, V3_ACT_REASON } from '../../src/fhir/systems.ts';

/** Everything that may be shared; GENETICS never leaves. */
const CLASSES = [
  'DEMOGRAPHICS',
  'ENCOUNTERS',
  'VITAL_SIGNS',
  'LAB_RESULTS',
  'MEDICATIONS',
  'CONDITIONS',
  'ALLERGIES',
  'PROCEDURES',
  'IMMUNIZATIONS',
  'CLINICAL_NOTES',
  'CARE_PLANS',
];

/**
 * @param patient - `Patient/id`.
 * @param classes - The data classes that may be copied; all by default.
 * @returns An active Consent to disclose them for treatment.
 */
export function consentToShare(patient: string, classes: readonly string[] = CLASSES): Consent {
  const system = systemsOf().dataClass;
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-6' }] }],
    patient: { reference: patient },
    policyRule: { coding: [{ system: V3_ACT_CODE, code: 'OPTIN' }] },
    provision: {
      type: 'permit',
      purpose: [{ system: V3_ACT_REASON, code: 'TREAT' }],
      action: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentaction', code: 'disclose' }] }],
      class: classes.map((code) => ({ system, code })),
    },
  };
}
