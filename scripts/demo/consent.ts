/** The Consents of a demo: one that permits all, or the user's own as a template. Pure. */
import type { Consent, Identifier, Patient } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { consentOf } from '../../src/rules/consent/simple.ts';
import { relink } from './link.ts';

/**
 * A patient's permission to copy everything but genetics, for treatment.
 *
 * @param patient - The patient's reference.
 * @param at - When it was given.
 * @returns An active Consent of the simple model.
 */
export function permitAll(patient: string, at: string): Consent {
  return consentOf({ patient, at }, systemsOf().dataClass);
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
