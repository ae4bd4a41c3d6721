/** Judges a manifest before anything is sent: all problems at once, each with its place. Pure but for loading FHIR's definitions. */
import { isResourceType } from '@medplum/core';
import { loadDefinitions } from '../sandbox/definitions.ts';
import { problemOfCriteria, typeOf } from './criteria.ts';
import { problemOfCron } from './cron.ts';
import { INTERACTIONS, RUNTIMES } from './manifest.ts';
import type { Access, BotRow, Manifest } from './manifest.ts';

/** Medplum refuses a JSON body of more than 1 MiB, and `$deploy` sends the code in one (`platform.md` §9.5). */
const MAX_BUNDLE_BYTES = 1_000_000;

/** What is known of a built bundle. */
export interface Bundled {
  readonly name: string;
  readonly bytes: number;
}

const WRITES: readonly string[] = ['create', 'update'];

/**
 * Judges everything that can be judged without the server.
 *
 * @param manifest - The manifest.
 * @param built - The bundles.
 * @returns All problems; none when it may be deployed.
 */
export function problemsOf(manifest: Manifest, built: readonly Bundled[]): string[] {
  loadDefinitions();
  const { bots, roles = [], operations = [], runtimeVersion } = manifest;
  const names = bots.map(({ name }) => name);
  const roleNames = roles.map(({ role }) => role);
  return [
    ...(runtimeVersion && !RUNTIMES.includes(runtimeVersion)
      ? [`runtimeVersion: must be ${RUNTIMES.join(' or ')}, not ${String(runtimeVersion)}`]
      : []),
    ...doubles('bot', names),
    ...doubles('role', roleNames),
    ...doubles(
      'operation',
      operations.map(({ code }) => code)
    ),
    ...bots.flatMap((bot) => [
      ...problemsOfBot(bot, built),
      ...(bot.callers ?? [])
        .filter((role) => !roleNames.includes(role))
        .map((role) => `${bot.name}: the caller ${role} is no role of the manifest`),
    ]),
    ...roles.flatMap(({ role, access }) => problemsOfAccess(`role ${role}`, access)),
    ...[
      ...bots.map(({ name, access }) => ({ owner: name, access })),
      ...roles.map(({ role, access }) => ({ owner: `role ${role}`, access })),
    ]
      .filter(
        ({ access }) =>
          access.length > 0 &&
          !access.some(
            ({ resourceType, interaction }) => resourceType === 'AuditEvent' && interaction.includes('create')
          )
      )
      // The server writes the AuditEvent of a request in the name of its caller (`platform.md` §4.3).
      .map(({ owner }) => `${owner}: its access lacks AuditEvent create, so what it does would leave no trace`),
    ...operations.flatMap(({ code, bot, resource, returns }) => [
      ...(names.includes(bot) ? [] : [`operation ${code}: there is no bot ${bot}`]),
      ...(/^[a-z][A-Za-z0-9-]*$/.test(code) ? [] : [`operation ${code}: the code must be letters, digits and dashes`]),
      ...(resource.length > 0 && resource.every(isResourceType)
        ? []
        : [`operation ${code}: resource must name FHIR types`]),
      ...(isResourceType(returns) ? [] : [`operation ${code}: returns must name a FHIR type`]),
    ]),
    ...loopsOf(bots),
  ];
}

function problemsOfBot(bot: BotRow, built: readonly Bundled[]): string[] {
  const { name, triggers, timeoutSeconds, quotaPerMinute } = bot;
  const bundle = built.find((row) => row.name === name);
  const crons = triggers.flatMap(({ cron }) => cron ?? []);
  return [
    ...(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) ? [] : ['the name must be lower-case words joined by dashes']),
    ...(bundle ? [] : ['there is no bundle in dist/']),
    ...(bundle && bundle.bytes > MAX_BUNDLE_BYTES
      ? [`the bundle has ${bundle.bytes} bytes, more than Medplum takes`]
      : []),
    ...(Number.isInteger(timeoutSeconds) && timeoutSeconds >= 1 && timeoutSeconds <= 900
      ? []
      : ['timeoutSeconds must be 1 to 900, which is what Lambda allows']),
    ...(quotaPerMinute === undefined || (Number.isInteger(quotaPerMinute) && quotaPerMinute > 0)
      ? []
      : ['quotaPerMinute must be a positive whole number']),
    ...(triggers.length > 0 ? [] : ['it has no trigger']),
    ...(crons.length > 1 ? ['it has several cron strings, and a Bot resource has one'] : []),
    ...crons.flatMap((cron) => {
      const problem = problemOfCron(cron);
      return problem ? [`the cron string "${cron}" ${problem}`] : [];
    }),
    ...triggers.flatMap(({ subscription }) => {
      const problem = subscription && problemOfCriteria(subscription.criteria);
      return problem ? [`the criteria "${subscription.criteria}" ${problem}: it would never run`] : [];
    }),
    ...(bot.access.length > 0 ? [] : ['it has no access, and a Bot without a policy is nearly all-powerful']),
  ]
    .map((problem) => `${name}: ${problem}`)
    .concat(problemsOfAccess(name, bot.access));
}

function problemsOfAccess(owner: string, access: readonly Access[]): string[] {
  return access.flatMap(({ resourceType, interaction, criteria }) => {
    const place = `${owner}: access to ${resourceType}`;
    // Variables of Medplum's policies, as any value would be there.
    const concrete = criteria
      ?.replaceAll(/\{(control|bot)\}/g, 'http://x')
      .replaceAll(/%\w+\.id/g, '1')
      .replaceAll(/%\w+/g, 'Patient/1');
    const problem =
      concrete && (typeOf(concrete) === resourceType ? problemOfCriteria(concrete) : 'are of another type');
    return [
      ...(isResourceType(resourceType) ? [] : [`${place}: there is no such type`]),
      ...(interaction.length > 0 ? [] : [`${place}: an entry without interactions would allow all`]),
      ...interaction
        .filter((each) => !INTERACTIONS.includes(each))
        .map((each) => `${place}: ${each} is no interaction`),
      ...(problem ? [`${place}: the criteria "${criteria}" ${problem}`] : []),
    ];
  });
}

/** A bot whose write starts itself, at once or by way of others, runs for ever (`platform.md` §2.10). */
function loopsOf(bots: readonly BotRow[]): string[] {
  const startedBy = ({ access }: BotRow): BotRow[] => {
    const written = access.filter(({ interaction }) => interaction.some((each) => WRITES.includes(each)));
    return bots.filter(({ triggers }) =>
      triggers.some(({ subscription }) =>
        written.some(({ resourceType }) => subscription && typeOf(subscription.criteria) === resourceType)
      )
    );
  };
  const wayBack = (from: BotRow, to: BotRow, seen: readonly BotRow[]): BotRow[] | undefined => {
    for (const next of startedBy(from)) {
      if (next === to) {
        return [...seen, from];
      }
      const way = seen.includes(next) || next === from ? undefined : wayBack(next, to, [...seen, from]);
      if (way) {
        return way;
      }
    }
    return undefined;
  };
  return bots.flatMap((bot) => {
    const way = wayBack(bot, bot, []);
    return way
      ? [`${bot.name}: its own writes would start it again (${[...way, bot].map(({ name }) => name).join(' → ')})`]
      : [];
  });
}

function doubles(kind: string, names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map(
    (name) => `${kind} ${name}: is there twice`
  );
}
