/** What the bots under `npm run test:server` are told, and the logins that settings name. */
import { randomBytes } from 'node:crypto';
import type { AccessPolicy, UserConfiguration } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { connect } from '../deploy/server.ts';
import type { Server } from '../deploy/server.ts';
import { createClient, membershipOf } from './projects.ts';
import type { Login, Made } from './projects.ts';

/**
 * @param base - The server.
 * @param made - One of the two projects.
 * @returns The server as that project's admin sees it.
 */
export function adminOf(base: string, { admin }: Made): Server {
  return connect({ baseUrl: base, fhirPath: 'fhir/R4/', clientId: admin.id, clientSecret: admin.secret });
}

/**
 * The checks come faster than any clinic's day: with Medplum's default of 50,000 units a minute they would wait for each other.
 * @param admin - The project of the logins, as its admin.
 * @param logins - Who gets the larger quota.
 */
export async function raiseQuota(admin: Server, logins: readonly Login[]): Promise<void> {
  const quota = await admin.create<UserConfiguration>({
    resourceType: 'UserConfiguration',
    name: 'consent-sync',
    option: [{ id: 'fhirQuota', valueInteger: 2_000_000 }],
  });
  for (const login of logins) {
    await admin.update({
      ...(await membershipOf(admin, login)),
      userConfiguration: { reference: `UserConfiguration/${quota.id}` },
    });
  }
}

/**
 * On the replica the bots have a client that may touch copies and nothing else.
 * @param base - The server of both projects.
 * @param replica - The project of the copies.
 * @returns What `npm run secrets -- push` takes.
 */
export async function settingsFor(base: string, replica: Made): Promise<Record<string, string>> {
  const admin = adminOf(base, replica);
  const policy = await admin.create<AccessPolicy>({
    resourceType: 'AccessPolicy',
    name: 'consent-sync',
    resource: [
      ...REPLICATED_TYPES.map((resourceType) => ({
        resourceType,
        interaction: ['create' as const, 'read' as const, 'update' as const, 'delete' as const, 'search' as const],
      })),
      { resourceType: 'AuditEvent', interaction: ['create', 'read', 'search'] },
    ],
  });
  const client = await createClient(admin, replica.projectId, 'consent-sync', policy.id);
  await raiseQuota(admin, [client, replica.admin]);
  return {
    REPLICA_BASE_URL: base,
    REPLICA_CLIENT_ID: client.id,
    REPLICA_CLIENT_SECRET: client.secret,
    REPLICA_PROJECT_ID: replica.projectId,
    PSEUDONYM_KEY: randomBytes(32).toString('hex'),
    PAYLOAD_KEY: randomBytes(32).toString('hex'),
    ERASER_CLIENT_ID: replica.admin.id,
    ERASER_CLIENT_SECRET: replica.admin.secret,
  };
}
