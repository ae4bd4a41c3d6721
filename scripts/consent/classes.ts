/** What the Consents of a patient permit, class by class. */
import type { Consent } from '@medplum/fhirtypes';
import type { DataClass } from '../../src/rules/consent/data-class.ts';
import { DATA_CLASSES } from '../../src/rules/consent/data-class.ts';
import type { Decision } from '../../src/rules/consent/decision.ts';
import { explain } from '../../src/rules/consent/explain.ts';
import { mayReplicate } from '../../src/rules/consent/gate.ts';
import type { Source } from './project.ts';
import { specimen } from './specimens.ts';

/** The decision about a normal record of one class. */
export interface ClassDecision {
  readonly name: DataClass;
  readonly decision: Decision;
}

/**
 * Decides about a normal, dated, labelled record of each class.
 *
 * @param consents - All Consents of the patient.
 * @param patientId - The patient.
 * @param source - What the bots ask for.
 * @param at - When.
 * @returns One decision per class.
 */
export function decideClasses(
  consents: readonly Consent[],
  patientId: string,
  { purpose, actors, systems }: Pick<Source, 'purpose' | 'actors' | 'systems'>,
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

/**
 * Says the decisions in words, classes of one answer together.
 *
 * @param decisions - One per class.
 * @returns Lines.
 */
export function classLines(decisions: readonly ClassDecision[]): string[] {
  const bySentence = Map.groupBy(decisions, ({ decision }) => explain(decision));
  return [...bySentence].flatMap(([sentence, rows]) => {
    const mark = rows[0]?.decision.decision === 'permit' ? '✓' : '✗';
    return [`  ${mark} ${rows.map(({ name }) => name).join(', ')}`, `      ${sentence}`];
  });
}
