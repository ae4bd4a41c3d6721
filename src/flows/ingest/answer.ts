/** What the sender gets to know: one result per entry, in the order in which they were sent. Pure. */
import type { OperationOutcome } from '@medplum/fhirtypes';
import type { Issue } from '../../rules/ingest/validate.ts';
import type { Received, Request } from './received.ts';

/** What became of one entry. */
export type Result =
  | {
      readonly isTaken: true;
      readonly id: string;
      readonly status: 'created' | 'updated' | 'unchanged' | 'outdated' | 'known';
      readonly warnings: readonly string[];
    }
  | { readonly isTaken: false; readonly issues: readonly Issue[] };

/** One entry, as the sender is told of it. */
export interface EntryAnswer {
  readonly success: boolean;
  readonly resourceType: string;
  readonly id?: string;
  readonly status?: string;
  readonly warnings?: readonly string[];
  /** One sentence: the first thing that is wrong. */
  readonly error?: string;
  readonly outcome?: OperationOutcome;
}

/** A Bundle, as the sender is told of it (seed §6.1). */
export interface BundleAnswer {
  readonly success: boolean;
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly results: readonly EntryAnswer[];
}

/**
 * @param received - An entry.
 * @param result - What became of it.
 * @returns What its sender is told.
 */
export function entryAnswerOf({ type }: Received, result: Result): EntryAnswer {
  if (result.isTaken) {
    const { id, status, warnings } = result;
    return { success: true, resourceType: type, id, status, ...(warnings.length > 0 && { warnings }) };
  }
  const [first] = result.issues;
  const sentence = [first?.expression, first?.text].filter(Boolean).join(' ');
  return { success: false, resourceType: type, error: sentence, outcome: outcomeOfIssues(result.issues) };
}

/**
 * @param request - What was sent.
 * @param results - What became of each entry, by its place.
 * @returns What the sender of a Bundle is told.
 */
export function bundleAnswerOf({ entries }: Request, results: ReadonlyMap<number, Result>): BundleAnswer {
  const answers = entries.map((received) => entryAnswerOf(received, results.get(received.index) ?? UNTOUCHED));
  const succeeded = answers.filter(({ success }) => success).length;
  const failed = answers.length - succeeded;
  return { success: failed === 0, total: answers.length, succeeded, failed, results: answers };
}

/** What was not come to. Sending it again is safe: what was taken is taken once. */
export const UNTOUCHED: Result = {
  isTaken: false,
  issues: [{ code: 'timeout', text: 'There was no time for it; send it again.' }],
};

/**
 * @param issues - Issues of ours.
 * @returns The same as FHIR.
 */
export function outcomeOfIssues(issues: readonly Issue[]): OperationOutcome {
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map(({ code, expression, text }) => ({
      severity: 'error',
      code,
      details: { text },
      ...(expression && { expression: [expression] }),
    })),
  };
}
