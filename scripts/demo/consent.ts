/** The Consents of a demo: one that permits all, or the user's own as a template. Pure. */
import type { Consent, Identifier, Patient } from '@medplum/fhirtypes';
import { systemsOf, V3_ACT_CODE, V3_ACT_REASON } from '../../src/fhir/systems.ts';
import { DATA_CLASSES } from '../../src/rules/consent/data-class.ts';
import { relink } from './link.ts';

const HL7 = 'http://terminology.hl7.org/CodeSystem';

/**
 * A patient's permission to copy everything but genetics, for treatment.
 *
 * @param patient - The patient's reference.
 * @param at - When it was given.
 * @returns An active Consent.
 */
export function permitAll(patient: string, at: string): Consent {
  const system = systemsOf().dataClass;
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: `${HL7}/consentscope`, code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-6' }] }],
    patient: { reference: patient },
    dateTime: at,
    policyRule: { coding: [{ system: V3_ACT_CODE, code: 'OPTIN' }] },
    provision: {
      type: 'permit',
      purpose: [{ system: V3_ACT_REASON, code: 'TREAT' }],
      // A copy is a disclosure; `access` alone is a permission to look (design/consent.md §2, rule 16).
      action: [{ coding: [{ system: `${HL7}/consentaction`, code: 'disclose' }] }],
      class: DATA_CLASSES.filter((name) => name !== 'GENETICS').map((code) => ({ system, code })),
    },
  };
}

/** A Patient in the source. */
export type Person = Patient & { readonly id: string };

/**
 * Gives each patient the Consents of the user's file: those that name the patient, or else those that name nobody here.
 *
 * @param templates - The user's Consents.
 * @param patients - All patients.
 * @param resolve - Where a reference of the file leads: `Patient/id` if it means one of the inputs.
 * @returns New Consents, without ids.
 */
export function fromTemplates(
  templates: readonly Consent[],
  patients: readonly Person[],
  resolve: (reference: string) => string | undefined
): Consent[] {
  return templates.flatMap((template) => {
    const named = patients.find((patient) => isNamed(template, patient, resolve));
    const { id: _id, meta: _meta, ...content } = template;
    return (named ? [named] : patients).map((patient): Consent => {
      const consent = relink(content, resolve);
      return { ...consent, patient: { reference: `Patient/${patient.id}` } };
    });
  });
}

function isNamed(
  { patient }: Consent,
  { id, identifier }: Person,
  resolve: (reference: string) => string | undefined
): boolean {
  return (
    (patient?.reference !== undefined && resolve(patient.reference) === `Patient/${id}`) ||
    (patient?.identifier !== undefined && (identifier ?? []).some((one) => isSame(one, patient.identifier)))
  );
}

function isSame(a: Identifier, b: Identifier | undefined): boolean {
  return a.value !== undefined && a.value === b?.value && a.system === b.system;
}
