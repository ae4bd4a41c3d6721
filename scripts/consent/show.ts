/** `consent show PATIENT`: the Consents of a patient, and what they permit now, class by class. */
import type { Consent } from '@medplum/fhirtypes';
import { decideClasses } from '../../src/rules/consent/classes.ts';
import { lint } from '../../src/rules/consent/lint.ts';
import { grantedBy } from '../../src/rules/consent/simple.ts';
import { classLines } from './classes.ts';
import { findingLines } from './lint.ts';
import { connectSource, consentsOf, findPatient } from './project.ts';
import type { Source } from './project.ts';
import type { Values } from './usage.ts';

/**
 * The command.
 *
 * @param _values - None.
 * @param positionals - The patient.
 * @returns 0.
 */
export async function show(_values: Values, [name]: readonly string[]): Promise<number> {
  const source = await connectSource(process.env);
  const { id } = await findPatient(source.server, name);
  console.log((await showLines(source, id)).join('\n'));
  return 0;
}

/**
 * What there is to show.
 *
 * @param source - The source.
 * @param patientId - The patient.
 * @returns Lines; ids and codes only.
 */
export async function showLines(source: Source, patientId: string): Promise<string[]> {
  const consents = await consentsOf(source.server, patientId);
  const at = new Date().toISOString();
  return [
    `Patient/${patientId}: ${consents.length} Consent${consents.length === 1 ? '' : 's'}`,
    ...consents.map((consent) => `  ${lineOf(consent, source.systems.dataClass)}`),
    '',
    `A normal record of today, to be copied for ${source.purpose}:`,
    ...classLines(decideClasses(consents, patientId, source, at)),
    ...findingLines(lint(consents)),
  ];
}

function lineOf(consent: Consent, dataClassSystem: string): string {
  const { id, meta, status, dateTime, provision } = consent;
  const classes = grantedBy(consent, dataClassSystem);
  const what = classes
    ? classes.join(', ')
    : provision?.type
      ? `root ${provision.type}, own provisions`
      : 'root without type';
  const until = provision?.period?.end ? `, until ${provision.period.end}` : '';
  return `Consent/${id} version ${meta?.versionId ?? '?'}: ${status}${dateTime ? `, given ${dateTime}` : ''}${until}; ${what}`;
}
