/** Whether the replica can be reached and takes our credentials: asked before anything is loaded, so that nothing is half done. */
import type { Project } from '@medplum/fhirtypes';
import { load } from '../../src/config/load.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Problem } from './report.ts';

/**
 * Asks for a token with the settings that the bots will read.
 *
 * @param sandbox - The servers, with the bundle installed.
 * @returns What is wrong, if anything.
 */
export async function checkReplica({ source }: Sandbox): Promise<Problem[]> {
  const { secret = [] } = await source.repo.readResource<Project>('Project', source.projectId);
  const loaded = load(Object.fromEntries(secret.map((setting) => [setting.name, setting])));
  if ('problems' in loaded) {
    return loaded.problems.map((message) => ({ kind: 'settings', message }));
  }
  const { tokenUrl, clientId, clientSecret, timeoutMs } = loaded.config.replica;
  const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  try {
    const { ok, status } = await fetch(tokenUrl, {
      method: 'POST',
      headers: { Authorization: `Basic ${credentials}`, 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials',
      signal: AbortSignal.timeout(timeoutMs),
    });
    return ok ? [] : [{ kind: 'replica', message: refused(status) }];
  } catch {
    return [{ kind: 'replica', message: 'does not answer: check REPLICA_BASE_URL, and whether the server is up' }];
  }
}

function refused(status: number): string {
  return status >= 500
    ? `answers with HTTP ${status}: the server is not well`
    : `does not accept the credentials (HTTP ${status}): check REPLICA_CLIENT_ID and REPLICA_CLIENT_SECRET`;
}
