/** The catalogue of errors, out of the table that the bots throw by. */
import { FAULTS } from '../../src/observability/fault.ts';
import { code, table } from './table.ts';

/**
 * @returns A row for each fault.
 */
export function faultsTable(): string {
  const rows = Object.entries(FAULTS).map(([name, { message, issue, retryable }]) => [
    code(name),
    code(issue),
    retryable ? 'yes' : 'no',
    message,
  ]);
  return table(['Code', 'OperationOutcome issue', 'Tried again', 'What the caller reads'], rows);
}
