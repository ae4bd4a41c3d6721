/** `consent grant PATIENT`: writes a Consent of the simple model. */
import { consentOf, problemsOf } from '../../src/rules/consent/simple.ts';
import type { Grant } from '../../src/rules/consent/simple.ts';
import { Refusal } from '../deploy/server.ts';
import { connectSource, findPatient } from './project.ts';
import { showLines } from './show.ts';
import { listOf, USAGE } from './usage.ts';
import type { Values } from './usage.ts';

/**
 * The command.
 *
 * @param values - `classes`, `until`, `purpose`, `actor`.
 * @param positionals - The patient.
 * @returns 0.
 */
export async function grant({ classes, until, purpose, actor }: Values, [name]: readonly string[]): Promise<number> {
  const wanted: Omit<Grant, 'patient'> = { classes: listOf(classes), until, purpose, actors: actor };
  const problems = problemsOf({ ...wanted, patient: '' });
  if (problems.length > 0) {
    throw new Refusal(problems.join('; '), USAGE);
  }
  const source = await connectSource(process.env);
  const { id } = await findPatient(source.server, name);
  const at = new Date().toISOString();
  const written = await source.server.create(
    consentOf({ ...wanted, patient: `Patient/${id}`, at }, source.systems.dataClass)
  );
  console.log(`wrote Consent/${written.id}\n\n${(await showLines(source, id)).join('\n')}`);
  return 0;
}
