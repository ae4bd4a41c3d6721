/** The bots as they are on the server: there, started by what should start them, and able to do no more than they must. Pure. */
import type { AccessPolicy, Bot, ProjectMembership, Subscription } from '@medplum/fhirtypes';
import type { Facts } from '../facts.ts';
import { fail, judged, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';

const DEPLOY = 'Run `npm run deploy`.';
type Saved<T> = T & { readonly id: string };

/** @returns Our bots by name. */
export function ourBots({ source, systems }: Facts): ReadonlyMap<string, Saved<Bot>> {
  const rows = 'rows' in source.bots ? source.bots.rows : [];
  return new Map(
    rows.flatMap(
      (bot) =>
        bot.identifier?.filter(({ system }) => system === systems.bot).map(({ value = '' }) => [value, bot] as const) ??
        []
    )
  );
}

/** @returns The membership of a bot. */
export function membershipOf({ source }: Facts, bot: Saved<Bot>): Saved<ProjectMembership> | undefined {
  return 'rows' in source.memberships
    ? source.memberships.rows.find(({ profile }) => profile.reference === `Bot/${bot.id}`)
    : undefined;
}

export function botsDeployed(facts: Facts): Judgement {
  const { source, manifest } = facts;
  if ('problem' in source.bots) {
    return unseen(`the Bots: ${source.bots.problem}`);
  }
  const bots = ourBots(facts);
  const complaints = manifest.bots.flatMap(({ name, triggers }) => {
    const bot = bots.get(name);
    if (!bot) {
      return [`${name} is not there`];
    }
    const cron = triggers.find((trigger) => trigger.cron)?.cron;
    return [
      ...(bot.executableCode ? [] : [`${name} has no code`]),
      ...(bot.cronString === cron
        ? []
        : [
            `${name} has ${bot.cronString ? `the schedule ${bot.cronString}` : 'no schedule'}${cron ? `, not ${cron}` : ''}`,
          ]),
      ...(bot.cronTiming ? [`${name} has a cronTiming, which Medplum 5.0.10 converts wrongly`] : []),
    ];
  });
  return judged(complaints, fail, [...bots.keys()].sort().join(', '), DEPLOY);
}

export function subscriptions(facts: Facts): Judgement {
  const { source, manifest } = facts;
  if ('problem' in source.subscriptions || 'problem' in source.bots) {
    return unseen('the Subscriptions and Bots');
  }
  const known = new Map(source.bots.rows.map((bot) => [`Bot/${bot.id}`, bot]));
  const rows = source.subscriptions.rows.filter(({ channel }) => channel.endpoint?.startsWith('Bot/'));
  const broken = rows.flatMap((row) => brokenBy(row, known));
  const bots = ourBots(facts);
  const missing = manifest.bots.flatMap(({ name, triggers }) =>
    triggers.flatMap(({ subscription }) => {
      const found = rows.find(
        ({ criteria, channel }) =>
          criteria === subscription?.criteria && channel.endpoint === `Bot/${bots.get(name)?.id}`
      );
      return subscription && !found ? [`nothing starts ${name} on ${subscription.criteria}`] : [];
    })
  );
  return judged([...broken, ...missing], fail, `${rows.length}, all active, each with its bot`, DEPLOY);
}

function brokenBy({ id, criteria, channel, status }: Saved<Subscription>, bots: ReadonlyMap<string, Bot>): string[] {
  const bot = bots.get(channel.endpoint ?? '');
  return [
    ...(bot ? [] : [`Subscription/${id} (${criteria}) starts ${channel.endpoint}, which is gone`]),
    ...(bot && !bot.executableCode ? [`Subscription/${id} (${criteria}) starts a bot without code`] : []),
    ...(status === 'active' ? [] : [`Subscription/${id} (${criteria}) is ${status}`]),
  ];
}

export function policiesNarrow(facts: Facts): Judgement {
  const { source } = facts;
  if ('problem' in source.memberships || 'problem' in source.policies) {
    return unseen('memberships and policies, which only an admin sees');
  }
  const policies = new Map(source.policies.rows.map((policy) => [`AccessPolicy/${policy.id}`, policy]));
  const complaints = [...ourBots(facts)].flatMap(([name, bot]) => {
    const membership = membershipOf(facts, bot);
    const own = referencesOf(membership).map((reference) => policies.get(reference));
    return [
      ...(membership ? [] : [`${name} has no membership: it runs with the rights of its caller`]),
      ...(membership && own.length === 0 ? [`${name} has no policy: it may do nearly everything`] : []),
      ...(own.some((policy) => policy === undefined)
        ? [`${name} has a policy that is gone: every call of it fails`]
        : []),
      ...(membership?.admin ? [`${name} is an admin`] : []),
      ...own.flatMap((policy) => tooWide(policy)).map((what) => `${name}: ${what}`),
    ];
  });
  return judged(
    complaints,
    fail,
    `${ourBots(facts).size} bots, each with a policy of named types and interactions`,
    DEPLOY
  );
}

/** @returns The policies that a membership refers to. */
export function referencesOf(membership: ProjectMembership | undefined): string[] {
  return [membership?.accessPolicy, ...(membership?.access ?? []).map(({ policy }) => policy)].flatMap(
    (each) => each?.reference ?? []
  );
}

function tooWide(policy: AccessPolicy | undefined): string[] {
  return (policy?.resource ?? []).flatMap(({ resourceType, interaction }) =>
    resourceType === '*'
      ? ['its policy has *']
      : interaction?.length
        ? []
        : [`its policy allows everything on ${resourceType}`]
  );
}

/** What one change costs at each side, and what a client has unless more is configured (`platform.md` §5.1). */
const SOURCE_UNITS = 200;
const REPLICA_UNITS = 120;
const DEFAULT_QUOTA = 50_000;
/** The busiest minute of an hour has many times its average. */
const PEAK = 10;

/**
 * Compares what may be used with what is configured and with what the last hour has needed.
 */
export function quota(facts: Facts): Judgement {
  const { source, replica, manifest } = facts;
  if ('problem' in source.configurations || 'problem' in source.memberships) {
    return unseen('the quotas, which only an admin sees');
  }
  const configurations = new Map(source.configurations.rows.map((row) => [`UserConfiguration/${row.id}`, row]));
  const bots = ourBots(facts);
  const has = (name: string): number => {
    const bot = bots.get(name);
    const reference = bot && membershipOf(facts, bot)?.userConfiguration?.reference;
    return (
      configurations.get(reference ?? '')?.option?.find(({ id }) => id === 'fhirQuota')?.valueInteger ?? DEFAULT_QUOTA
    );
  };
  const low = manifest.bots
    .filter(({ name, quotaPerMinute = 0 }) => bots.has(name) && has(name) < quotaPerMinute)
    .map(({ name, quotaPerMinute }) => `${name} has ${has(name)} units a minute, not ${quotaPerMinute}`);
  if (low.length > 0) {
    return fail(low.join('; '), `${DEPLOY} It gives the bots a UserConfiguration with fhirQuota.`);
  }
  const peak = ((source.changes ?? 0) / 60) * PEAK;
  const left = replica?.answer?.unitsLeft;
  const needs = [
    ...(peak * SOURCE_UNITS > has('sync-change')
      ? [
          `a busy minute of the last hour needed about ${Math.round(peak * SOURCE_UNITS)} units of the source; sync-change has ${has('sync-change')}`,
        ]
      : []),
    ...(left !== undefined && peak * REPLICA_UNITS > left
      ? [
          `a busy minute of the last hour needed about ${Math.round(peak * REPLICA_UNITS)} units of the replica; its client has ${left} left in this minute`,
        ]
      : []),
  ];
  const detail = `sync-change has ${has('sync-change')} units a minute, for about ${Math.floor(has('sync-change') / SOURCE_UNITS)} changes; there were ${source.changes ?? 'an unknown number of'} in the last hour${left === undefined ? '' : `; the replica’s client has ${left} left in this minute`}`;
  return judged(
    needs,
    warn,
    detail,
    'Raise quotaPerMinute in bots.config.json and deploy; on the replica give the bots’ client a UserConfiguration with fhirQuota.'
  );
}
