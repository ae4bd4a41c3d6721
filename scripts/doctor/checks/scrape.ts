/** Whether somebody collects the figures of the bot `metrics`, and can do nothing else. Pure. */
import type { AccessPolicy, ProjectMembership } from '@medplum/fhirtypes';
import { stateOf } from '../../../src/flows/metrics/state.ts';
import type { Facts } from '../facts.ts';
import { fail, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';
import { ourBots } from './bots.ts';

const POLICY = 'consent-sync role MONITOR';
/** Ten scrapes of a minute. */
const OLD_MS = 10 * 60_000;

const DEPLOY = 'Run `npm run deploy`.';
const NARROW = `Give the client a ProjectMembership with the policy \`${POLICY}\` alone, not admin (docs/monitoring.md).`;
const SCRAPE = 'Look at the targets of Prometheus: its scrape says why it fails (docs/monitoring.md).';

export function scrapeClient(facts: Facts): Judgement {
  const { source, systems, now } = facts;
  if ('problem' in source.bots || 'problem' in source.memberships || 'problem' in source.policies) {
    return unseen('Bots, memberships and policies');
  }
  if ('problem' in source.figures) {
    return unseen(`the figures: ${source.figures.problem}`);
  }
  if (!ourBots(facts).has('metrics')) {
    return fail('the bot metrics is not there', DEPLOY);
  }
  const policy = source.policies.rows.find(({ meta }) =>
    meta?.tag?.some(({ system, code }) => system === systems.control && code === 'role.MONITOR')
  );
  const clients = source.memberships.rows.filter(
    (one) => policy && policiesOf(one).includes(`AccessPolicy/${policy.id}`)
  );
  if (!policy || clients.length === 0) {
    return ok('no client has the policy for scraping');
  }
  const excess = excessOf(policy, facts);
  const wide = clients.filter((one) => one.admin === true || policiesOf(one).length > 1);
  if (excess.length > 0 || wide.length > 0) {
    const who = wide.map(({ profile }) => `${profile.reference} is admin or has other policies besides`);
    return warn([...excess, ...who].join('; '), excess.length > 0 ? DEPLOY : NARROW);
  }
  const { takenAt } = stateOf(systems, source.figures.rows[0]);
  const taken = new Date(takenAt).toISOString();
  if (now - takenAt > OLD_MS) {
    return warn(takenAt > 0 ? `no reading since ${taken}` : 'there was no reading yet', SCRAPE);
  }
  return ok(`${clients.length} may ask, last reading ${taken}`);
}

function policiesOf({ accessPolicy, access = [] }: ProjectMembership): string[] {
  return [accessPolicy, ...access.map(({ policy }) => policy)].flatMap((one) => one?.reference ?? []);
}

/** What the policy allows beside asking the bots of the role and having that written down. */
function excessOf({ resource = [] }: AccessPolicy, { manifest, systems }: Facts): string[] {
  const bots = manifest.bots.flatMap(({ name, callers }) =>
    callers?.includes('MONITOR') ? [`${systems.bot}|${name}`] : []
  );
  return resource.flatMap(({ resourceType, interaction, criteria = '' }) => {
    const can = interaction ?? ['everything'];
    const named = (/^Bot\?identifier=(.*)$/.exec(criteria)?.[1] ?? '*').split(',');
    const isMeant =
      (resourceType === 'AuditEvent' && can.join() === 'create') ||
      (resourceType === 'Bot' &&
        can.every((one) => one === 'read' || one === 'search') &&
        named.every((one) => bots.includes(one)));
    return isMeant ? [] : [`the policy allows ${can.join(', ')} of ${criteria || resourceType}`];
  });
}
