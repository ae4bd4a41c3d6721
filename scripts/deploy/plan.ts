/** Wanted × found → what to do. Pure: `--dry-run` is this and nothing more, and so is the check afterwards. */
import type {
  AccessPolicy,
  Bot,
  OperationDefinition,
  ProjectMembership,
  Resource,
  Subscription,
  UserConfiguration,
} from '@medplum/fhirtypes';
import { canonical } from '../../src/fhir/canonical.ts';
import { KINDS, nameOf, ownerOfBot, placeholder } from './wanted.ts';
import type { Kind, Properties, Wanted } from './wanted.ts';

/** A bot on the server. */
export interface FoundBot {
  readonly name: string;
  readonly bot: Bot & { readonly id: string };
  /** Without one, the bot runs with the rights of whoever calls it. */
  readonly membership: (ProjectMembership & { readonly id: string }) | undefined;
  /** What it answered to the version probe; undefined when it does not run. */
  readonly version: string | undefined;
}

/** A tagged resource of ours. */
export interface Owned<T extends Resource> {
  readonly owner: string;
  readonly resource: T & { readonly id: string };
}

/** What the server holds of ours. */
export interface Found {
  readonly bots: readonly FoundBot[];
  readonly policies: readonly Owned<AccessPolicy>[];
  readonly quotas: readonly Owned<UserConfiguration>[];
  readonly subscriptions: readonly Owned<Subscription>[];
  readonly operations: readonly Owned<OperationDefinition>[];
  /** Ids of policies of people that memberships refer to: without its policy, a person is locked out. */
  readonly inUse: readonly string[];
}

/** One step. */
export interface Action {
  readonly verb: 'create' | 'update' | 'delete';
  readonly kind: Kind;
  readonly owner: string;
  /** What tells it from others of its kind and owner. */
  readonly what: string;
  /** Which properties differ, or why it goes. */
  readonly why: readonly string[];
  /** The id of what is updated or deleted; of the bot for its code, schedule and membership, when it is there already. */
  readonly id?: string;
  /** What to write: for an update only the properties that the deployment owns. */
  readonly properties?: Properties;
  /** True for what belongs to a bot or role that is no longer in the manifest: done only with `--prune`. */
  readonly isPrune: boolean;
}

/**
 * Plans.
 *
 * @param wanted - What should be there.
 * @param found - What is there.
 * @returns The steps, in the order in which they are safe: nothing runs before it has policy and code, and what starts a bot goes first.
 */
export function planDeploy(wanted: readonly Wanted[], found: Found): Action[] {
  const bots = [...found.bots].sort((a, b) => a.bot.id.localeCompare(b.bot.id));
  const doubles = bots.filter(({ name }, index) => bots.findIndex((other) => other.name === name) < index);
  const single = bots.filter((bot) => !doubles.includes(bot));
  // A Bot without a membership cannot be given one: only the server makes them, together with the Bot.
  const broken = single.filter(({ membership }) => !membership);
  const whole: Found = { ...found, bots: single.filter(({ membership }) => membership) };
  const ids = idsOf(whole);
  const steps = wanted.flatMap((row) => stepFor(row, wanted, whole, ids));
  const surplus = removalsOf(wanted, whole);
  const isStarter = ({ kind }: Action): boolean => kind === 'schedule' || kind === 'subscription';
  return [
    ...broken.flatMap((bot) => removalOf(bot, 'has no membership: it would run with the rights of its caller', false)),
    ...surplus.filter((action) => !action.isPrune && isStarter(action)),
    ...steps.sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)),
    ...surplus.filter((action) => !action.isPrune && !isStarter(action)),
    ...doubles.flatMap((bot) => removalOf(bot, 'is there twice', false)),
    ...surplus.filter(({ isPrune }) => isPrune),
  ];
}

/** Everything of ours goes: what `undeploy` does. */
export function planUndeploy(found: Found): Action[] {
  return removalsOf([], found).map((action) => ({ ...action, why: [] }));
}

/**
 * The policies that should go and cannot, since people have them.
 *
 * @param wanted - What should be there; nothing for an undeployment.
 * @param found - What is there.
 * @returns A sentence each.
 */
export function policiesInUse(wanted: readonly Wanted[], found: Found): string[] {
  return found.policies
    .filter(
      ({ owner, resource }) =>
        found.inUse.includes(resource.id) && !wanted.some((row) => row.kind === 'policy' && row.owner === owner)
    )
    .map(
      ({ owner, resource }) =>
        `AccessPolicy/${resource.id} (${owner}) stays: memberships refer to it, and would be locked out without it`
    );
}

type Ids = ReadonlyMap<string, string>;

function idsOf({ bots, policies, quotas }: Found): Ids {
  // The first in the order of ids is kept when there are several; all runs agree on which one that is.
  const first = (kind: Kind, type: string, rows: readonly Owned<Resource>[]): [string, string][] =>
    byId(rows)
      .reverse()
      .map(({ owner, resource }) => [placeholder(kind, owner), `${type}/${resource.id}`]);
  return new Map([
    ...first('policy', 'AccessPolicy', policies),
    ...first('quota', 'UserConfiguration', quotas),
    ...bots.map(({ name, bot }): [string, string] => [placeholder('bot', ownerOfBot(name)), `Bot/${bot.id}`]),
  ]);
}

const byId = <T extends Resource>(rows: readonly Owned<T>[]): Owned<T>[] =>
  [...rows].sort((a, b) => a.resource.id.localeCompare(b.resource.id));

/**
 * Puts ids where placeholders are.
 *
 * @param properties - With placeholders.
 * @param ids - Placeholder → reference.
 * @returns The properties; a placeholder without an id stays.
 */
export function resolve(properties: Properties, ids: Ids): Properties {
  const replace = (value: unknown): unknown => {
    if (typeof value === 'string') {
      return ids.get(value) ?? value;
    }
    if (Array.isArray(value)) {
      return value.map(replace);
    }
    return value && typeof value === 'object'
      ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replace(each)]))
      : value;
  };
  return replace(properties) as Properties;
}

function stepFor(row: Wanted, wanted: readonly Wanted[], found: Found, ids: Ids): Action[] {
  const { kind, owner, what, properties } = row;
  const bot = found.bots.find(({ name }) => ownerOfBot(name) === owner);
  const action = (verb: Action['verb'], why: readonly string[], id?: string): Action[] => [
    { verb, kind, owner, what, why, ...(id && { id }), properties, isPrune: false },
  ];
  const compare = (resource: Resource | undefined): Action[] => {
    if (!resource?.id) {
      return action('create', []);
    }
    const why = differences(resolve(properties, ids), resource as unknown as Properties);
    return why.length > 0 ? action('update', why, resource.id) : [];
  };
  switch (kind) {
    case 'policy':
      return compare(byId(found.policies).find((each) => each.owner === owner)?.resource);
    case 'quota':
      return compare(byId(found.quotas).find((each) => each.owner === owner)?.resource);
    case 'operation':
      return compare(
        byId(found.operations).find((each) => each.owner === owner && each.resource.code === what)?.resource
      );
    case 'subscription':
      return compare(
        byId(found.subscriptions).find((each) => each.owner === owner && each.resource.criteria === what)?.resource
      );
    case 'bot':
      return compare(bot?.bot);
    case 'membership':
      return compare(bot?.membership);
    case 'code':
      return codeStep(row, wanted, bot);
    case 'schedule': {
      const now = bot?.bot.cronString;
      return now === properties.cronString
        ? []
        : action(now ? 'update' : 'create', now ? ['cronString'] : [], bot?.bot.id);
    }
  }
}

/** Also after a change of runtime: the bundle that runs in one is not yet in the other. */
function codeStep(row: Wanted, wanted: readonly Wanted[], found: FoundBot | undefined): Action[] {
  const { kind, owner, what, properties } = row;
  const runtime = wanted.find((other) => other.kind === 'bot' && other.owner === owner)?.properties.runtimeVersion;
  const isElsewhere = found !== undefined && found.bot.runtimeVersion !== runtime;
  if (found && !isElsewhere && found.version === properties.version) {
    return [];
  }
  const why = !found
    ? []
    : isElsewhere
      ? [`not yet in ${String(runtime)}`]
      : [found.version ? `runs ${found.version}` : 'does not run'];
  const verb = found?.version ? 'update' : 'create';
  return [{ verb, kind, owner, what, why, ...(found && { id: found.bot.id }), properties, isPrune: false }];
}

/** Absent, empty and false are one thing; a reference is its target, whatever it is displayed as. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.length > 0 ? value.map(normal) : undefined;
  }
  if (value && typeof value === 'object') {
    const entries = Object.entries(value).filter(([name]) => name !== 'display');
    return entries.length > 0 ? Object.fromEntries(entries.map(([name, each]) => [name, normal(each)])) : undefined;
  }
  return value === false ? undefined : value;
}

function differences(wanted: Properties, found: Properties): string[] {
  return Object.keys(wanted).filter((name) => {
    const [a, b] = [normal(wanted[name]), normal(found[name])];
    return canonical(a ?? null) !== canonical(b ?? null);
  });
}

/** What starts a bot goes first, then the bot, then what it may do. */
function removalsOf(wanted: readonly Wanted[], found: Found): Action[] {
  const isOwner = new Set(wanted.map(({ owner }) => owner));
  const removal = (kind: Kind, owner: string, what: string, why: string, id: string): Action => ({
    verb: 'delete',
    kind,
    owner,
    what,
    why: [why],
    id,
    isPrune: !isOwner.has(owner),
  });
  const why = (owner: string, other: string): string => (isOwner.has(owner) ? other : 'not in the manifest');
  const surplus = <T extends Resource>(
    kind: Kind,
    rows: readonly Owned<T>[],
    whatOf: (resource: T) => string
  ): Action[] => {
    const kept = new Set<string>();
    return byId(rows).flatMap(({ owner, resource }) => {
      const what = whatOf(resource);
      const isWanted = wanted.some((row) => row.kind === kind && row.owner === owner && row.what === what);
      const isFirst = !kept.has(`${owner} ${what}`);
      kept.add(`${owner} ${what}`);
      return isWanted && isFirst
        ? []
        : [removal(kind, owner, what, why(owner, isWanted ? 'is there twice' : 'not in the manifest'), resource.id)];
    });
  };
  const gone = found.bots.filter(({ name }) => !isOwner.has(ownerOfBot(name)));
  const unscheduled = found.bots.filter(
    ({ name, bot }) =>
      bot.cronString &&
      isOwner.has(ownerOfBot(name)) &&
      !wanted.some((row) => row.kind === 'schedule' && row.owner === ownerOfBot(name))
  );
  return [
    ...unscheduled.map(({ name, bot }) => removal('schedule', ownerOfBot(name), '', 'not in the manifest', bot.id)),
    ...gone
      .filter(({ bot }) => bot.cronString)
      .map(({ name, bot }) => removal('schedule', ownerOfBot(name), '', 'not in the manifest', bot.id)),
    ...surplus('subscription', found.subscriptions, ({ criteria }) => criteria),
    ...surplus('operation', found.operations, ({ code }) => code),
    ...gone.flatMap((bot) => removalOf(bot, 'not in the manifest', true).filter(({ kind }) => kind !== 'schedule')),
    ...surplus('policy', found.policies, () => '').filter(({ id }) => !found.inUse.includes(id ?? '')),
    ...surplus('quota', found.quotas, () => ''),
  ];
}

/** The schedule first: a deleted Bot would be started by it for ever, in vain (`platform.md` §1.7). */
function removalOf({ name, bot, membership }: FoundBot, why: string, isPrune: boolean): Action[] {
  const owner = ownerOfBot(name);
  const base = { verb: 'delete', owner, what: '', why: [why], isPrune } as const;
  return [
    ...(bot.cronString ? [{ ...base, kind: 'schedule', id: bot.id } as const] : []),
    ...(membership ? [{ ...base, kind: 'membership', id: membership.id } as const] : []),
    { ...base, kind: 'bot', id: bot.id },
  ];
}

/**
 * The part of a plan or of a finding that concerns one bot.
 *
 * @param rows - Rows with an owner.
 * @param bot - The bot's name; undefined for all.
 * @returns The rows.
 */
export function only<T extends { readonly owner: string }>(rows: readonly T[], bot: string | undefined): T[] {
  return rows.filter(({ owner }) => bot === undefined || (owner.startsWith('bot.') && nameOf(owner) === bot));
}
