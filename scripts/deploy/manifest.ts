/** `bots.config.json` as the deployment reads it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnySettingName } from '../../src/config/all-settings.ts';
import type { Secrets } from '../../src/config/load.ts';

/** The project's root folder. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** The runtimes that one `dist/` serves. */
export const RUNTIMES = ['vmcontext', 'awslambda'] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** FHIR interactions as an AccessPolicy names them. */
export const INTERACTIONS = ['create', 'read', 'update', 'delete', 'search', 'history', 'vread'] as const;
export type Interaction = (typeof INTERACTIONS)[number];

/** One entry of an AccessPolicy. */
export interface Access {
  readonly resourceType: string;
  readonly interaction: readonly Interaction[];
  /** `{control}` stands for our code system of control resources, `{bot}` for our identifier system of bots, whatever the namespace is. */
  readonly criteria?: string;
  /** Elements that are not shown, and keep their value on update. */
  readonly hiddenFields?: readonly string[];
}

/** What starts a bot; each of one kind. */
export interface Trigger {
  readonly subscription?: { readonly criteria: string };
  readonly cron?: string;
  readonly execute?: boolean;
}

/** One bot. */
export interface BotRow {
  readonly name: string;
  readonly description: string;
  /** The setting without which the bot has nothing to do: it is deployed where that is set. */
  readonly requires?: AnySettingName;
  readonly triggers: readonly Trigger[];
  readonly timeoutSeconds: number;
  readonly auditEventTrigger: 'never' | 'on-error' | 'on-output' | 'always';
  /** FHIR units a minute that its work needs; without it the server's 50,000. */
  readonly quotaPerMinute?: number;
  /** The roles that may call it by `$execute`. */
  readonly callers?: readonly string[];
  readonly access: readonly Access[];
}

/** What people of one role may do in the source. */
export interface RoleRow {
  readonly role: string;
  readonly description: string;
  readonly access: readonly Access[];
}

/** A custom operation that is a bot. */
export interface OperationRow {
  readonly code: string;
  readonly bot: string;
  readonly description: string;
  /** The types that it is called on; Medplum 5.0.10 does not know operations of the system. */
  readonly resource: readonly string[];
  /** The type of what it answers: the server refuses any other. */
  readonly returns: string;
}

/** The whole file, as far as a deployment is concerned. */
export interface Manifest {
  readonly runtimeVersion?: Runtime;
  readonly bots: readonly BotRow[];
  readonly roles?: readonly RoleRow[];
  readonly operations?: readonly OperationRow[];
  readonly policy?: {
    readonly types: Readonly<Record<string, { readonly replicate: boolean; readonly stub?: boolean }>>;
  };
}

/**
 * Reads the manifest.
 *
 * @param path - The file; `bots.config.json` of the project by default.
 * @returns The manifest, not yet judged.
 */
export function readManifest(path: string = join(ROOT, 'bots.config.json')): Manifest {
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const types = manifest.policy?.types ?? {};
  return withStubs(
    manifest,
    Object.keys(types).filter((type) => types[type]?.stub)
  );
}

/**
 * Lets the bots that make copies, and no others, read the resources that have stubs.
 *
 * @param manifest - The manifest.
 * @param stubs - The types that have stubs.
 * @returns The manifest with further rows of access.
 */
export function withStubs(manifest: Manifest, stubs: readonly string[]): Manifest {
  // Nobody makes a copy without the right to make the patient's link first.
  const isCopying = ({ access }: BotRow): boolean =>
    access.some(
      ({ resourceType, interaction, criteria = '' }) =>
        resourceType === 'Basic' && interaction.includes('create') && criteria.includes('{control}|patient-link')
    );
  return {
    ...manifest,
    bots: manifest.bots.map((bot) => {
      const missing = stubs.filter((type) => !bot.access.some(({ resourceType }) => resourceType === type));
      const rows = missing.map((resourceType): Access => ({ resourceType, interaction: ['read', 'search'] }));
      return isCopying(bot) && rows.length > 0 ? { ...bot, access: [...bot.access, ...rows] } : bot;
    }),
  };
}

/**
 * Leaves out the bots that have nothing to do.
 *
 * @param manifest - The manifest.
 * @param secrets - The Project secrets.
 * @returns The manifest with the bots whose required setting is set.
 */
export function forSecrets(manifest: Manifest, secrets: Secrets): Manifest {
  const isUsed = ({ requires }: BotRow): boolean =>
    requires === undefined || Boolean(secrets[requires]?.valueString?.trim());
  return { ...manifest, bots: manifest.bots.filter(isUsed) };
}
