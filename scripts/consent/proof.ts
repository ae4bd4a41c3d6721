/** `consent proof TOKEN`: for an auditor, what was shared of a patient under which Consent, and what was erased. */
import { MedplumClient } from '@medplum/core';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gatherEvidence } from '../../src/flows/proof/gather.io.ts';
import { pageOf } from '../../src/flows/proof/page.ts';
import { proofOf } from '../../src/flows/proof/plan.ts';
import { systemClock } from '../../src/observability/clock.io.ts';
import { sourceClient } from '../../src/remote/source.io.ts';
import { credentialsOf, Refusal } from '../deploy/server.ts';
import { connectSource } from './project.ts';
import type { Values } from './usage.ts';

/**
 * The command. It reads the source and nothing else.
 *
 * @param values - `page` names a file for the readable form; without it the proof is JSON on standard output.
 * @param positionals - The patient's token on the replica.
 * @returns 0.
 * @throws Refusal when the token is nobody's.
 */
export async function proof(values: Values, [token]: readonly string[]): Promise<number> {
  if (!token) {
    throw new Refusal('no token is named', 'Name the token by which the replica knows the patient: pt_…');
  }
  const { systems } = await connectSource(process.env);
  const { baseUrl, clientId, clientSecret } = credentialsOf(process.env);
  const medplum = new MedplumClient({ baseUrl });
  await medplum.startClientLogin(clientId, clientSecret);
  const random = { unit: (): number => Math.random(), uuid: (): string => randomUUID() };
  const evidence = await gatherEvidence(sourceClient(medplum, { clock: systemClock, random }), systems, token);
  if (!evidence) {
    throw new Refusal(`nobody was ever known as ${token}`, 'The replica’s Patient.identifier holds the token.');
  }
  const found = proofOf(token, evidence, systems);
  if (values.page) {
    writeFileSync(resolve(process.env['INIT_CWD'] ?? '.', values.page), pageOf(found));
  } else {
    console.log(JSON.stringify(found, undefined, 2));
  }
  return 0;
}
