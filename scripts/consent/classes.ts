/** Decisions about classes of data, in words. */
import type { ClassDecision } from '../../src/rules/consent/classes.ts';
import { explain } from '../../src/rules/consent/explain.ts';

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
