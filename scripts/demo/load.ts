/** Writes the resources into the source as its operator, under the ids they were given. Subscriptions fire as always. */
import { OperationOutcomeError } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import type { SandboxServer } from '../sandbox/server.ts';
import type { Linked } from './link.ts';
import type { Problem } from './report.ts';

/**
 * Writes some records. One that the source refuses does not hold back the others.
 *
 * @param source - The source.
 * @param records - The records.
 * @param tick - Is called after each.
 * @returns What the source refused.
 */
export async function load(source: SandboxServer, records: readonly Linked[], tick: () => void): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { input, index, resource } of records) {
    try {
      await source.repo.createResource<Resource>(resource, { assignedId: true });
    } catch (error) {
      problems.push({
        kind: 'input',
        input,
        index,
        type: resource.resourceType,
        message: `was refused by the source: ${refusal(error)}`,
      });
    }
    tick();
  }
  return problems;
}

/**
 * What is wrong, and where in the resource. Medplum's texts name rules, formats and properties; diagnostics may quote
 * values and are left out.
 *
 * @param error - Anything caught.
 * @returns A text without values of the data.
 */
export function refusal(error: unknown): string {
  if (!(error instanceof OperationOutcomeError)) {
    return 'unexpected error';
  }
  const texts = error.outcome.issue.map(({ details, expression, code }) => {
    const where = expression?.join(', ');
    return `${details?.text ?? code}${where ? ` (${where})` : ''}`;
  });
  return [...new Set(texts)].join('; ');
}
