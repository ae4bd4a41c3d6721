/** Who could read the replica without a trace: a caller whose policy cannot create AuditEvents is not audited (`platform.md` §4.3). */
import type { AccessPolicy } from '@medplum/fhirtypes';
import { load } from '../../src/config/load.ts';
import type { Secrets } from '../../src/config/load.ts';
import { connect, Refusal } from './server.ts';

/**
 * Whether callers with this policy are audited.
 *
 * @param policy - The policy.
 * @returns False when it has no entry that lets the server write the AuditEvent in the caller's name.
 */
export function isAudited({ resource = [] }: AccessPolicy): boolean {
  return resource.some(
    ({ resourceType, interaction, readonly }) =>
      (resourceType === 'AuditEvent' || resourceType === '*') &&
      (interaction ? interaction.includes('create') : !readonly)
  );
}

/** What the look at the replica found. */
export interface ReplicaFindings {
  readonly warnings: readonly string[];
  /** What must not be deployed. */
  readonly problems: readonly string[];
}

/**
 * Looks at the replica with the bots' own credentials, as far as those allow.
 *
 * @param secrets - The Project secrets of the source.
 * @param sourceProjectId - The source.
 * @returns Warnings and problems.
 */
export async function findReaders(secrets: Secrets, sourceProjectId: string): Promise<ReplicaFindings> {
  const loaded = load(secrets);
  if ('problems' in loaded) {
    return {
      warnings: loaded.problems
        .map((problem) => `settings: ${problem}`)
        .concat('the bots will refuse to run until `npm run secrets -- check` is content'),
      problems: [],
    };
  }
  const { replica } = loaded.config;
  const { origin, pathname } = new URL(replica.fhirUrl);
  const server = connect({
    baseUrl: origin,
    fhirPath: pathname,
    clientId: replica.clientId,
    clientSecret: replica.clientSecret,
  });
  try {
    const { projectId } = await server.session();
    if (projectId === sourceProjectId) {
      return {
        warnings: [],
        problems: ['REPLICA_* leads into the source project itself: copies would be written among the originals'],
      };
    }
    const policies = await server.search<AccessPolicy>('AccessPolicy?_sort=_lastUpdated');
    return {
      warnings: policies
        .filter((policy) => !isAudited(policy))
        .map(
          ({ id, name }) =>
            `replica: AccessPolicy/${id} (${name ?? 'without a name'}) has no AuditEvent create entry: its readers leave no trace`
        ),
      problems: [],
    };
  } catch (error) {
    const reason = error instanceof Refusal ? (error.status ?? 'no answer') : 'no answer';
    return {
      warnings: [
        `replica: cannot see its policies (${reason}): check there that each has an AuditEvent create entry, or its readers leave no trace`,
      ],
      problems: [],
    };
  }
}
