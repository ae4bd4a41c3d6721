/** The command line of `npm run consent`: one table of options for all commands. */
import type { ParseArgsOptionsConfig } from 'node:util';

export const OPTIONS = {
  cases: { type: 'string' },
  file: { type: 'string' },
  patient: { type: 'string' },
  class: { type: 'string' },
  classes: { type: 'string' },
  until: { type: 'string' },
  purpose: { type: 'string' },
  actor: { type: 'string', multiple: true },
  namespace: { type: 'string' },
  page: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

/** What was given. */
export interface Values {
  readonly cases?: string;
  readonly file?: string;
  readonly patient?: string;
  readonly class?: string;
  readonly classes?: string;
  readonly until?: string;
  readonly purpose?: string;
  readonly actor?: readonly string[];
  readonly namespace?: string;
  readonly page?: string;
  readonly json?: boolean;
  readonly help?: boolean;
}

/** A command: options and what stands beside them → exit code. */
export type Command = (values: Values, positionals: readonly string[]) => Promise<number>;

export const USAGE = `npm run consent -- <command>

  decide --cases FILE      decides each case of FILE, without a server; one line of JSON per case
  lint --file FILE         says what is ambiguous in the Consents of FILE, and how to write it; exit code 1 if anything is
  lint --patient PATIENT   the same for the Consents of a patient in the source
  grant PATIENT            writes a Consent to share
         [--classes A,B] [--until DATE] [--purpose CARE] [--actor REFERENCE]
  revoke PATIENT           takes back everything that was granted, or with --class A,B only these classes
  show PATIENT             the Consents of a patient, and what they permit, class by class
  proof TOKEN [--page FILE]
                           for an auditor: what was shared under which Consent and what was erased, as JSON or as a page
  questionnaire            puts our form (forms/consent-to-share.json) into the source; the bot consent-form turns answers into Consents

PATIENT is Patient/<id>, an id, or an identifier (system|value, or a value that only one patient has). All but decide and lint --file
read MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID and MEDPLUM_CLIENT_SECRET of the source; nothing is ever sent to the replica.`;

/**
 * A list on the command line.
 *
 * @param text - `A,B`.
 * @returns The parts; undefined if nothing was given.
 */
export function listOf(text: string | undefined): string[] | undefined {
  return text?.split(',').map((part) => part.trim()).filter(Boolean); // prettier-ignore
}
