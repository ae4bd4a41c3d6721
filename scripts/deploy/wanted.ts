/** What the server should hold, derived from the manifest. Pure. */
import type { OperationDefinition } from '@medplum/fhirtypes';
import type { Systems } from '../../src/fhir/systems.ts';
import type { Access, BotRow, Manifest, OperationRow, RoleRow, Runtime } from './manifest.ts';

/** What a deployment makes, in the order in which it is made: nothing runs before it has its policy and its code. */
export const KINDS = ['policy', 'quota', 'bot', 'membership', 'code', 'operation', 'subscription', 'schedule'] as const;
export type Kind = (typeof KINDS)[number];

/** Properties of a resource. A property that is undefined here has to be absent. */
export type Properties = Readonly<Record<string, unknown>>;

/** One thing that should be there. References to things without an id yet are written `@kind/owner`. */
export interface Wanted {
  readonly kind: Kind;
  /** `bot.<name>` or `role.<name>`: the tag by which it is found again. */
  readonly owner: string;
  /** What tells it from others of its kind and owner, for Subscriptions; else empty. */
  readonly what: string;
  readonly properties: Properties;
}

/** The code that should run. */
export interface BuiltVersion {
  readonly name: string;
  readonly version: string;
}

const IMPLEMENTATION = 'https://medplum.com/fhir/StructureDefinition/operationDefinition-implementation';

export const ownerOfBot = (name: string): string => `bot.${name}`;
export const ownerOfRole = (role: string): string => `role.${role}`;

/** The name without its kind. */
export const nameOf = (owner: string): string => owner.slice(owner.indexOf('.') + 1);

/** How a thing that has no id yet is named inside another. */
export const placeholder = (kind: Kind, owner: string): string => `@${kind}/${owner}`;

/** What else than the manifest decides. */
export interface Context {
  readonly systems: Systems;
  readonly built: readonly BuiltVersion[];
  /** Instead of the manifest's. */
  readonly runtime?: Runtime | undefined;
}

/**
 * Derives everything that the server should hold.
 *
 * @param manifest - A manifest without problems.
 * @param context - Our systems, the bundles, the runtime.
 * @returns Things by bot, then the policies of people.
 */
export function wantedOf(manifest: Manifest, context: Context): Wanted[] {
  const { bots, roles = [], operations = [] } = manifest;
  return [
    ...bots.flatMap((bot) => wantedOfBot(bot, manifest, context)),
    ...operations.map((operation) => wantedOperation(operation)),
    ...roles.map((role) => wantedRole(role, manifest, context.systems)),
  ];
}

function wantedOfBot(bot: BotRow, manifest: Manifest, { systems, built, runtime }: Context): Wanted[] {
  const owner = ownerOfBot(bot.name);
  const row = (kind: Kind, properties: Properties, what = ''): Wanted => ({ kind, owner, what, properties });
  const cron = bot.triggers.find((trigger) => trigger.cron)?.cron;
  const quota = bot.quotaPerMinute;
  return [
    row('policy', {
      name: `consent-sync bot ${bot.name}`,
      resource: bot.access.map((entry) => policyEntry(entry, systems)),
    }),
    ...(quota
      ? [row('quota', { name: `consent-sync bot ${bot.name}`, option: [{ id: 'fhirQuota', valueInteger: quota }] })]
      : []),
    row('bot', {
      name: bot.name,
      description: bot.description,
      identifier: [{ system: systems.bot, value: bot.name }],
      runtimeVersion: runtime ?? manifest.runtimeVersion ?? 'vmcontext',
      timeout: bot.timeoutSeconds,
      auditEventTrigger: bot.auditEventTrigger,
      // Each of these would give the bot a right or a schedule that the manifest does not.
      cronTiming: undefined,
      runAsUser: undefined,
      system: undefined,
      publicWebhook: undefined,
    }),
    row('membership', {
      accessPolicy: { reference: placeholder('policy', owner) },
      userConfiguration: quota ? { reference: placeholder('quota', owner) } : undefined,
      access: undefined,
      admin: undefined,
    }),
    row('code', { version: built.find(({ name }) => name === bot.name)?.version }),
    ...bot.triggers.flatMap(({ subscription }) =>
      subscription ? [row('subscription', subscriptionOf(bot.name, subscription.criteria), subscription.criteria)] : []
    ),
    ...(cron ? [row('schedule', { cronString: cron })] : []),
  ];
}

/** Without `subscription-supported-interaction` it fires on create, update and delete, which is what a copy needs (`platform.md` §2.5). */
function subscriptionOf(name: string, criteria: string): Properties {
  return {
    status: 'active',
    reason: `Starts the bot ${name}`,
    criteria,
    channel: { type: 'rest-hook', endpoint: placeholder('bot', ownerOfBot(name)) },
    extension: undefined,
    end: undefined,
  };
}

function wantedOperation(row: OperationRow): Wanted {
  const owner = ownerOfBot(row.bot);
  const { resourceType: _type, ...properties } = operationOf(row, placeholder('bot', owner));
  return { kind: 'operation', owner, what: row.code, properties };
}

/**
 * @param row - An operation of the manifest.
 * @param bot - `Bot/id` of the bot that it is.
 * @returns Its definition, on the type: on 5.0.10 a bot is not told on which instance it was called (`platform.md` §7.3).
 */
export function operationOf({ code, description, resource, returns }: OperationRow, bot: string): OperationDefinition {
  return {
    resourceType: 'OperationDefinition',
    name: code,
    status: 'active',
    kind: 'operation',
    description,
    code,
    resource: [...resource] as NonNullable<OperationDefinition['resource']>,
    system: false,
    type: true,
    instance: false,
    // With one parameter named `return`, the bot's answer is sent as it is, if it is of that very type (`platform.md` §7.4).
    parameter: [{ name: 'return', use: 'out', min: 1, max: '1', type: returns }],
    extension: [{ url: IMPLEMENTATION, valueReference: { reference: bot } }],
  };
}

/**
 * Whoever can read a Bot can execute it (`platform.md` §6.4): the callers of a bot are those whose policy names it. An operation
 * asks for its definition to be readable as well (§7.6).
 */
function wantedRole({ role, access }: RoleRow, { bots, operations = [] }: Manifest, systems: Systems): Wanted {
  const callable = bots.filter(({ callers }) => callers?.includes(role)).map(({ name }) => name);
  const codes = operations.filter(({ bot }) => callable.includes(bot)).map(({ code }) => code);
  const toRead = (resourceType: string, search: string, values: readonly string[]): Access[] =>
    values.length > 0
      ? [{ resourceType, interaction: ['read', 'search'], criteria: `${resourceType}?${search}=${values.join(',')}` }]
      : [];
  const execute = [
    ...toRead(
      'Bot',
      'identifier',
      callable.map((name) => `${systems.bot}|${name}`)
    ),
    ...toRead('OperationDefinition', 'code', codes),
  ];
  return {
    kind: 'policy',
    owner: ownerOfRole(role),
    what: '',
    properties: {
      name: `consent-sync role ${role}`,
      resource: [...access, ...execute].map((entry) => policyEntry(entry, systems)),
    },
  };
}

/** One entry of `AccessPolicy.resource`. */
export type PolicyEntry = Pick<Access, 'resourceType' | 'interaction' | 'criteria' | 'hiddenFields'>;

/**
 * @param access - A row of the manifest.
 * @param systems - Our systems, which `{control}` and `{bot}` stand for.
 * @returns The entry of the AccessPolicy.
 */
export function policyEntry(
  { resourceType, interaction, criteria, hiddenFields }: Access,
  systems: Systems
): PolicyEntry {
  return {
    resourceType,
    interaction,
    ...(criteria && { criteria: criteria.replaceAll('{control}', systems.control).replaceAll('{bot}', systems.bot) }),
    ...(hiddenFields && { hiddenFields }),
  };
}
