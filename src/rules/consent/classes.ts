/** What the Consents of a patient permit, class by class. */
import type { Consent } from '@medplum/fhirtypes';
import type { DataClass } from '../../fhir/data-classes.ts';
import { DATA_CLASSES } from '../../fhir/data-classes.ts';
import type { Decision } from './decision.ts';
import { mayReplicate } from './gate.ts';
import { specimen } from './specimens.ts';

/** The decision about a normal record of one class. */
export interface ClassDecision {
  readonly name: DataClass;
  readonly decision: Decision;
}

/** What the bots ask for when they ask a Consent. */
export interface Asking {
  readonly purpose: string;
  readonly actors: readonly string[];
  readonly systems: { readonly dataClass: string };
}

/**
 * Decides about a normal, dated, labelled record of each class.
 *
 * @param consents - All Consents of the patient.
 * @param patientId - The patient.
 * @param asking - What the bots ask for.
 * @param at - When.
 * @returns One decision per class.
 */
export function decideClasses(
  consents: readonly Consent[],
  patientId: string,
  { purpose, actors, systems }: Asking,
  at: string
): ClassDecision[] {
  return DATA_CLASSES.map((name) => ({
    name,
    decision: mayReplicate(consents, {
      patient: `Patient/${patientId}`,
      purpose,
      ...(actors.length > 0 && { actor: actors }),
      resource: specimen(name, patientId, at),
      at,
      dataClassSystem: systems.dataClass,
    }),
  }));
}
