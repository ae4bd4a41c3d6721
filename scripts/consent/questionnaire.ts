/** `consent questionnaire`: puts our Questionnaire into the source, or replaces the one that is there. */
import type { Questionnaire } from '@medplum/fhirtypes';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_NAMESPACE } from '../../src/fhir/systems.ts';
import { ROOT } from '../deploy/manifest.ts';
import { connectSource } from './project.ts';

/**
 * The Questionnaire, as data.
 *
 * @param namespace - The root of our URLs.
 * @returns The resource of `forms/consent-to-share.json` under this namespace.
 */
export function questionnaireOf(namespace: string): Questionnaire {
  const text = readFileSync(join(ROOT, 'forms', 'consent-to-share.json'), 'utf8');
  return JSON.parse(text.replaceAll(DEFAULT_NAMESPACE, namespace)) as Questionnaire;
}

/**
 * The command.
 *
 * @returns 0.
 */
export async function questionnaire(): Promise<number> {
  const { server, systems } = await connectSource(process.env);
  const wanted = questionnaireOf(systems.namespace);
  const [found] = await server.search<Questionnaire>(`Questionnaire?url=${encodeURIComponent(wanted.url ?? '')}`);
  const { id } = found
    ? await server.update<Questionnaire>({ ...wanted, id: found.id, ...(found.meta && { meta: found.meta }) })
    : await server.create(wanted);
  console.log(`${found ? 'replaced' : 'wrote'} Questionnaire/${id} (${wanted.url})`);
  return 0;
}
