/** `consent lint`: what can be read in more than one way, and how to write it. */
import type { Bundle, Consent, Resource } from '@medplum/fhirtypes';
import { ADVICE } from '../../src/rules/consent/advice.ts';
import type { LintFinding } from '../../src/rules/consent/lint.ts';
import { lint as findingsOf } from '../../src/rules/consent/lint.ts';
import { Refusal } from '../deploy/server.ts';
import { readJsonFile } from './json-file.ts';
import { connectSource, consentsOf, findPatient } from './project.ts';
import { USAGE } from './usage.ts';
import type { Values } from './usage.ts';

/**
 * The command.
 *
 * @param values - `file` or `patient`, and `json`.
 * @returns 1 if there is a finding.
 */
export async function lint({ file, patient, json }: Values): Promise<number> {
  if (!file === !patient) {
    throw new Refusal('lint needs --file FILE or --patient PATIENT', USAGE);
  }
  const consents = file ? consentsIn(readJsonFile(file), file) : await consentsOfPatient(patient);
  // Only Consents of one patient can contradict each other.
  const findings = [...Map.groupBy(consents, (one) => one.patient?.reference).values()].flatMap(findingsOf);
  if (json) {
    findings.forEach((finding) => console.log(JSON.stringify({ ...finding, advice: ADVICE[finding.code] })));
  } else {
    const lines = findingLines(findings);
    console.log(lines.length > 0 ? lines.join('\n').trim() : `${consents.length} Consents, nothing ambiguous`);
  }
  return findings.length > 0 ? 1 : 0;
}

async function consentsOfPatient(name: string | undefined): Promise<Consent[]> {
  const { server } = await connectSource(process.env);
  return consentsOf(server, (await findPatient(server, name)).id);
}

function consentsIn(content: unknown, file: string): Consent[] {
  const { entry = [] } = content as Bundle;
  const list = Array.isArray(content) ? content : entry.length > 0 ? entry.map(({ resource }) => resource) : [content];
  const consents = (list as (Resource | undefined)[]).filter((one): one is Consent => one?.resourceType === 'Consent');
  if (consents.length === 0) {
    throw new Refusal(`${file} holds no Consent`, 'It may be a Consent, an array of Consents, or a Bundle.');
  }
  return consents;
}

/**
 * Findings in words.
 *
 * @param findings - Of the lint.
 * @returns Lines, or none.
 */
export function findingLines(findings: readonly LintFinding[]): string[] {
  return findings.flatMap(({ consent, code, path }) => [
    '',
    `! Consent/${consent || '(no id)'} ${path}: ${code}`,
    `  ${ADVICE[code]}`,
  ]);
}
