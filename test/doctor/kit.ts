/** A world in which the doctor finds nothing, to plant faults in. */
import { randomBytes } from 'node:crypto';
import type { Project, Resource } from '@medplum/fhirtypes';
import type { WithId } from '@medplum/core';
import { examine } from '../../scripts/doctor/examine.ts';
import type { CheckName } from '../../scripts/doctor/examine.ts';
import type { Finding } from '../../scripts/doctor/finding.ts';
import { gather } from '../../scripts/doctor/gather.ts';
import type { Overseer } from '../../scripts/doctor/gather.ts';
import { readManifest } from '../../scripts/deploy/manifest.ts';
import type { Credentials } from '../../scripts/deploy/server.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { admit, consent, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

/** A patient is under the doctor's eyes. */
export interface Ward {
  readonly world: World;
  readonly credentials: Credentials;
  readonly overseer: Overseer;
  /** Replaces a resource of the source. */
  change<T extends Resource>(
    type: T['resourceType'],
    find: (resource: T) => boolean,
    change: (resource: WithId<T>) => T
  ): Promise<void>;
}

const CRON_BOTS = readManifest().bots.flatMap(({ name, triggers }) =>
  triggers.flatMap(({ cron }) => (cron ? [{ name, cron }] : []))
);

/**
 * @returns A deployment as `npm run deploy` leaves it, with one patient copied and one sweep done.
 */
export async function createWard(): Promise<Ward> {
  const world = await createWorld({ settings: { AUDIT_SIGNING_KEY: randomBytes(32).toString('hex') } });
  const { source, replica } = world.sandbox;
  const client = async (server: typeof source): Promise<Overseer> => server.createClient('doctor', { admin: true });
  const [operator, overseer] = [await client(source), await client(replica)];
  const ward: Ward = {
    world,
    credentials: {
      baseUrl: source.baseUrl,
      fhirPath: 'fhir/R4/',
      clientId: operator.id,
      clientSecret: operator.secret,
    },
    overseer,
    async change<T extends Resource>(
      type: T['resourceType'],
      find: (resource: T) => boolean,
      change: (resource: WithId<T>) => T
    ) {
      const page = await source.repo.search<T & Resource>({ resourceType: type, count: 1000 } as never);
      for (const { resource } of page.entry ?? []) {
        if (resource && find(resource)) {
          await source.repo.updateResource(change(resource as WithId<T>));
        }
      }
    },
  };
  for (const server of [source, replica]) {
    const project = await server.repo.readResource<Project>('Project', server.projectId);
    await server.repo.updateResource<Project>({
      ...project,
      setting: [{ name: 'redactAuditEvents', valueBoolean: true }],
    });
  }
  await asDeployed(ward);
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  await world.sweep();
  await world.execute('mirror-audit');
  await world.execute('reconcile');
  return ward;
}

/** What `installBundle` leaves out: schedules, quotas. */
async function asDeployed(ward: Ward): Promise<void> {
  const { world } = ward;
  const { repo } = world.sandbox.source;
  for (const { name, cron } of CRON_BOTS) {
    await ward.change(
      'Bot',
      (bot) => bot.resourceType === 'Bot' && bot.name === name,
      (bot) => ({ ...bot, cronString: cron }) as never
    );
  }
  for (const { name, quotaPerMinute } of readManifest().bots) {
    if (quotaPerMinute) {
      const quota = await repo.createResource({
        resourceType: 'UserConfiguration',
        name,
        option: [{ id: 'fhirQuota', valueInteger: quotaPerMinute }],
      });
      const id = world.installed.bots.get(name)?.id;
      await ward.change(
        'ProjectMembership',
        (row) => row.resourceType === 'ProjectMembership' && row.profile.reference === `Bot/${id}`,
        (row) => ({ ...row, userConfiguration: { reference: `UserConfiguration/${quota.id}` } }) as never
      );
    }
  }
}

/** @returns All findings, by name. */
export async function doctor(
  { credentials, overseer }: Ward,
  changes: { readonly overseer?: Overseer | undefined; readonly clientSecret?: string; readonly baseUrl?: string } = {}
): Promise<ReadonlyMap<CheckName, Finding>> {
  const { overseer: eyes = overseer, ...login } = changes;
  const findings = examine(await gather({ ...credentials, ...login }, 'overseer' in changes ? changes.overseer : eyes));
  return new Map(findings.map((finding) => [finding.name as CheckName, finding]));
}

/** @returns The names of checks that are not ok. */
export function complaints(findings: ReadonlyMap<CheckName, Finding>): string[] {
  return [...findings.values()]
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ name, verdict }) => `${verdict} ${name}`);
}

export const CONTROL = systemsOf().control;
