/** `consent revoke PATIENT`: takes back what was granted by the simple model; the resources stay and keep their history. */
import type { Consent } from '@medplum/fhirtypes';
import { decideClasses } from '../../src/rules/consent/classes.ts';
import { grantedBy, problemsOf, revokedFrom } from '../../src/rules/consent/simple.ts';
import { Refusal } from '../deploy/server.ts';
import { connectSource, consentsOf, findPatient } from './project.ts';
import { showLines } from './show.ts';
import { listOf, USAGE } from './usage.ts';
import type { Values } from './usage.ts';

/**
 * The command.
 *
 * @param values - `class`: what is taken back; everything by default.
 * @param positionals - The patient.
 * @returns 1 if what was taken back is still permitted, by a Consent with provisions of its own: that is not ours to rewrite.
 */
export async function revoke(values: Values, [name]: readonly string[]): Promise<number> {
  const classes = listOf(values.class ?? values.classes);
  const problems = problemsOf({ classes, patient: '' });
  if (problems.length > 0) {
    throw new Refusal(problems.join('; '), USAGE);
  }
  const source = await connectSource(process.env);
  const { server, systems } = source;
  const { id } = await findPatient(server, name);
  let changed = 0;
  for (const consent of await consentsOf(server, id)) {
    const next = grantedBy(consent, systems.dataClass) && revokedFrom(consent, classes);
    if (next) {
      await server.update<Consent>(next);
      changed++;
      console.log(`Consent/${consent.id}: ${next.status === 'inactive' ? 'inactive' : 'narrowed'}`);
    }
  }
  console.log(
    `${changed === 0 ? 'nothing of the simple model to take back\n' : ''}\n${(await showLines(source, id)).join('\n')}`
  );
  const left = decideClasses(await consentsOf(server, id), id, source, new Date().toISOString()).filter(
    ({ name: one, decision }) => decision.decision === 'permit' && (!classes || classes.includes(one))
  );
  if (left.length > 0) {
    console.error(
      `\nStill permitted: ${left.map(({ name: one }) => one).join(', ')}. These Consents have provisions of their own; set them inactive, or write an active one with provision.type deny.`
    );
  }
  return left.length > 0 ? 1 : 0;
}
