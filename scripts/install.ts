/** Installs the bundle into a sandbox: what `npm run deploy` does on a real server, in a few calls. */
import type { WithId } from '@medplum/core';
import type { AccessPolicy, Bot, Project } from '@medplum/fhirtypes';
import { createHash } from 'node:crypto';
import { REPLICATED_TYPES, STUB_TYPES } from '../src/config/policy.ts';
import type { AnySettingName } from '../src/config/all-settings.ts';
import { systemsOf } from '../src/fhir/systems.ts';
import { buildBots } from './build.ts';
import type { BuiltBot } from './build.ts';
import { forSecrets, readManifest, withStubs } from './deploy/manifest.ts';
import { operationOf, policyEntry } from './deploy/wanted.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import type { MembershipOptions, SandboxClient } from './sandbox/server.ts';

/** What came of an installation. */
export interface Installed {
  /** The client with which the bots write to the replica. */
  readonly replicaClient: SandboxClient;
  readonly bots: ReadonlyMap<string, WithId<Bot>>;
}

export interface InstallOptions {
  /** Changes to the settings; undefined removes one. */
  readonly settings?: Partial<Record<AnySettingName, string | undefined>>;
  /** Instead of the profile of `bots.config.json`. */
  readonly profile?: string | undefined;
  /** Built before, with the same profile: for whoever installs thousands of times. */
  readonly built?: readonly BuiltBot[];
  /** Types that have stubs, instead of those of `bots.config.json`. */
  readonly stubs?: readonly string[] | undefined;
  /** Types whose originals are kept, instead of those of `bots.config.json`. */
  readonly originals?: readonly string[] | undefined;
  /** Leaves the cron bots without a schedule, for tests that tick by hand. */
  readonly isCronOff?: boolean;
}

/**
 * Builds the bots and installs them with their policies, Subscriptions and settings.
 *
 * @param sandbox - Source and replica.
 * @param options - Changes for tests.
 * @returns The replica's client and the bots by name.
 */
export async function installBundle(sandbox: Sandbox, options: InstallOptions = {}): Promise<Installed> {
  const { source, replica } = sandbox;
  const { profile, stubs, originals } = options;
  const built = options.built ?? (await buildBots({ profile, stubs, originals }));
  const replicaClient = await replica.createClient('consent-sync', {
    accessPolicy: replicaPolicy(options.stubs ?? STUB_TYPES),
  });
  const settings = defined({
    REPLICA_BASE_URL: replica.baseUrl,
    REPLICA_CLIENT_ID: replicaClient.id,
    REPLICA_CLIENT_SECRET: replicaClient.secret,
    REPLICA_PROJECT_ID: replica.projectId,
    PSEUDONYM_KEY: sandboxKey(),
    ...options.settings,
  });
  await source.setSecrets(settings);
  await hideNames(source);
  const bots = new Map<string, WithId<Bot>>();
  const secrets = Object.fromEntries(Object.entries(settings).map(([name, valueString]) => [name, { valueString }]));
  const manifest = forSecrets(withStubs(readManifest(), options.stubs ?? STUB_TYPES), secrets);
  for (const { name, triggers, timeoutSeconds, auditEventTrigger, access } of manifest.bots) {
    const cronString = options.isCronOff ? undefined : triggers.flatMap(({ cron }) => cron ?? [])[0];
    const resource = access.map((row) => policyEntry(row, systemsOf())) as NonNullable<AccessPolicy['resource']>;
    const bot = await source.createBot({
      name,
      identifier: { system: systemsOf().bot, value: name },
      code: built.find((one) => one.name === name)?.code ?? '',
      timeout: timeoutSeconds,
      auditEventTrigger,
      accessPolicy: { name, resource },
      ...(cronString && { cronString }),
    });
    for (const { subscription } of triggers) {
      if (subscription) {
        await source.subscribe(bot, subscription.criteria);
      }
    }
    bots.set(name, bot);
  }
  for (const row of readManifest().operations ?? []) {
    await source.repo.createResource(operationOf(row, `Bot/${bots.get(row.bot)?.id}`));
  }
  return { replicaClient, bots };
}

/** Medplum writes the names of patients into its own AuditEvents unless the project says otherwise (`platform.md` §4.5). */
async function hideNames({ repo, projectId }: Sandbox['source']): Promise<void> {
  const project = await repo.readResource<Project>('Project', projectId);
  const setting = [
    ...(project.setting ?? []).filter(({ name }) => name !== 'redactAuditEvents'),
    { name: 'redactAuditEvents', valueBoolean: true },
  ];
  await repo.updateResource<Project>({ ...project, setting });
}

/** On the replica the bots touch the replicated types and nothing else; AuditEvent, so that what they do is seen there and can be mirrored. */
function replicaPolicy(stubs: readonly string[]): NonNullable<MembershipOptions['accessPolicy']> {
  return {
    name: 'consent-sync',
    resource: [
      ...[...REPLICATED_TYPES, ...stubs].map((resourceType) => ({ resourceType })),
      { resourceType: 'AuditEvent', interaction: ['create', 'read', 'search'] },
    ],
  };
}

/** The sandbox's own key. A real one is random; this one is the same at each start, so that two runs can be compared. */
function sandboxKey(): string {
  return createHash('sha256').update('medplum-consent-sync sandbox').digest('hex');
}

function defined(values: Partial<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined)
  );
}
