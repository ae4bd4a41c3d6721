/** Puts the Project secrets where the bots get them from. */
import { gatherProject } from './gather.ts';
import type { ProjectFacts } from './gather.ts';
import type { SecretList } from './secrets.ts';
import { Refusal } from './server.ts';
import type { Server } from './server.ts';

/**
 * Writes the list. The endpoint replaces it, so it is read again just before, and once more after.
 *
 * @param server - The server.
 * @param project - As it was read.
 * @param list - The whole list.
 * @throws Refusal when somebody else has changed it meanwhile, or it was not kept.
 */
export async function writeSecrets(server: Server, project: ProjectFacts, list: SecretList): Promise<void> {
  const now = await gatherProject(server);
  if (JSON.stringify(now.secrets) !== JSON.stringify(project.secrets)) {
    throw new Refusal(
      'somebody else has changed the secrets meanwhile',
      'Nothing was written. Run the same command again.'
    );
  }
  await server.call('POST', `admin/projects/${project.projectId}/secrets`, list);
  const after = await gatherProject(server);
  const isThere = list.every(({ name, valueString }) =>
    after.secrets.some((row) => row.name === name && row.valueString === valueString)
  );
  if (!isThere || after.secrets.length !== list.length) {
    throw new Refusal(
      'the server does not hold what was written',
      'Run the same command again, and then `npm run secrets -- check`.'
    );
  }
}
