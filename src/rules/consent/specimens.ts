/** One plain record of each class of data, so that a decision can be told class by class. Nothing of a patient is in them. */
import type { Resource } from '@medplum/fhirtypes';
import type { DataClass } from '../../fhir/data-classes.ts';
import { V3_CONFIDENTIALITY } from '../../fhir/systems.ts';

/**
 * A normal record of a class, made now.
 *
 * @param name - The class.
 * @param patientId - The patient it would be of.
 * @param at - Its date.
 * @returns A record that exists nowhere.
 */
export function specimen(name: DataClass, patientId: string, at: string): Resource {
  const subject = { reference: `Patient/${patientId}` };
  const meta = { security: [{ system: V3_CONFIDENTIALITY, code: 'N' }] };
  const observation = (category: string): object => ({
    resourceType: 'Observation',
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: category }] }],
    code: {},
    subject,
    effectiveDateTime: at,
  });
  const records: Readonly<Record<DataClass, object>> = {
    DEMOGRAPHICS: { resourceType: 'Patient', id: patientId },
    ENCOUNTERS: { resourceType: 'Encounter', subject, period: { start: at, end: at } },
    VITAL_SIGNS: observation('vital-signs'),
    LAB_RESULTS: observation('laboratory'),
    MEDICATIONS: { resourceType: 'MedicationRequest', subject, authoredOn: at },
    CONDITIONS: { resourceType: 'Condition', subject, recordedDate: at },
    ALLERGIES: { resourceType: 'AllergyIntolerance', patient: subject, recordedDate: at },
    PROCEDURES: { resourceType: 'Procedure', subject, performedDateTime: at },
    IMMUNIZATIONS: { resourceType: 'Immunization', patient: subject, occurrenceDateTime: at },
    CLINICAL_NOTES: observation('survey'),
    CARE_PLANS: { resourceType: 'CarePlan', subject, period: { start: at, end: at } },
    GENETICS: { resourceType: 'MolecularSequence', patient: subject },
  };
  return { meta, ...records[name] } as Resource;
}
