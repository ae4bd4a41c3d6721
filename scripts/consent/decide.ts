/** `consent decide --cases FILE`: the evaluator over a file of cases, without a server. What a case expects is not read. */
import type { Consent } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { evaluate } from '../../src/rules/consent/evaluate.ts';
import type { ConsentRequest } from '../../src/rules/consent/inquiry.ts';
import { Refusal } from '../deploy/server.ts';
import { readJsonFile } from './json-file.ts';
import { USAGE } from './usage.ts';
import type { Values } from './usage.ts';

/** One case: Consents, and a request about one resource. */
export interface DecisionCase {
  readonly name: string;
  readonly consents: readonly Consent[];
  readonly request: Omit<ConsentRequest, 'dataClassSystem'>;
}

/** One line of output. */
export interface DecisionLine {
  readonly name: string;
  readonly decision: 'permit' | 'deny' | 'no-consent';
  readonly reason: string;
  /** The deciding provision; null if no provision decided. */
  readonly path: string | null;
  /** When the answer could change by itself; null if it never does. */
  readonly validUntil: string | null;
}

/**
 * Decides one case.
 *
 * @param one - The case.
 * @param dataClassSystem - Our code system of data classes.
 * @returns The line.
 */
export function decideCase({ name, consents, request }: DecisionCase, dataClassSystem: string): DecisionLine {
  const { decision, reason, path, validUntil } = evaluate(consents, { ...request, dataClassSystem });
  return { name, decision, reason, path: path ?? null, validUntil: validUntil ?? null };
}

/**
 * The command.
 *
 * @param values - `cases` and `namespace`.
 * @returns Exit code 1 if a case could not be read as one: it is answered with deny, and named on the error channel.
 */
export async function decide({ cases: file, namespace }: Values): Promise<number> {
  if (!file) {
    throw new Refusal('decide needs --cases FILE', USAGE);
  }
  const cases = readJsonFile(file);
  if (!Array.isArray(cases)) {
    throw new Refusal(`${file} holds no array of cases`, 'Each case is {name, consents, request}.');
  }
  const { dataClass } = systemsOf(namespace);
  const { lines, unreadable } = decideAll(cases as DecisionCase[], dataClass);
  process.stdout.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  unreadable.forEach((problem) => console.error(problem));
  return unreadable.length > 0 ? 1 : 0;
}

/**
 * Decides all cases; one that is no case at all is denied, so that there is a line for each.
 *
 * @param cases - The cases.
 * @param dataClassSystem - Our code system of data classes.
 * @returns The lines, and what was wrong.
 */
export function decideAll(
  cases: readonly DecisionCase[],
  dataClassSystem: string
): { readonly lines: readonly DecisionLine[]; readonly unreadable: readonly string[] } {
  const unreadable: string[] = [];
  const lines = cases.map((one, i): DecisionLine => {
    try {
      return decideCase(one, dataClassSystem);
    } catch (error) {
      const name = (one as Partial<DecisionCase> | null)?.name ?? `#${i}`;
      unreadable.push(`case ${name} could not be read: ${(error as Error).message}`);
      return { name, decision: 'deny', reason: 'uninterpretable', path: null, validUntil: null };
    }
  });
  return { lines, unreadable };
}
