/** Plans, and sees to it that the link tells of the keys before the first copy is made under them. */
import { Fault } from '../../observability/fault.ts';
import type { Deps } from '../deps.ts';
import { establishedTokens, isEstablished, keyringOf } from '../keyring.ts';
import type { Keyring } from '../keyring.ts';
import { linkBasic, linkIn, linkTerm } from '../link.ts';
import type { PatientLink, SavedLink } from '../link.ts';
import type { Facts } from './facts.ts';
import { plan } from './plan.ts';
import type { Plan, Rules } from './plan.ts';
import { rulesOf } from './rules.ts';

/** Others may write the link in the same moment; whoever comes second takes theirs. */
const TRIES = 4;

/** Plans, and by what they were made. */
export interface Planned {
  readonly keyring: Keyring;
  readonly rules: Rules;
  readonly plans: readonly Plan[];
}

/**
 * Plans all hinted records. Where a copy is to be made and the link does not tell of the keys yet, the link is written first, and the plan is
 * made again if another run's keys were there before ours.
 *
 * @param deps - The run.
 * @param facts - The state of the patient's record.
 * @param adjust - What the caller knows better about a plan.
 * @returns The plans, and by what they were made.
 * @throws Fault `source-*` when the link cannot be written, or `contention`.
 */
export async function planAll(deps: Deps, facts: Facts, adjust = (planned: Plan): Plan => planned): Promise<Planned> {
  const first = keyringOf(deps.config, facts.patientId, facts.link, deps.mint);
  const planned = planWith(deps, facts, first, adjust);
  if (isEstablished(facts.link, first) || !planned.plans.some(({ action }) => action === 'put')) {
    return planned;
  }
  const link = await establish(deps, facts, first);
  const keyring = keyringOf(deps.config, facts.patientId, link, deps.mint);
  return keyring.keys.patientToken === first.keys.patientToken
    ? { ...planned, keyring }
    : planWith(deps, facts, keyring, adjust);
}

function planWith(deps: Deps, facts: Facts, keyring: Keyring, adjust: (planned: Plan) => Plan): Planned {
  const rules = rulesOf(deps, keyring.keys);
  return { keyring, rules, plans: facts.hints.map((hint) => adjust(plan(facts, hint, rules))) };
}

async function establish(deps: Deps, facts: Facts, first: Keyring): Promise<PatientLink> {
  const { source, config } = deps;
  const { patientId } = facts;
  let { link } = facts;
  let keyring = first;
  for (let tries = 1; tries <= TRIES; tries++) {
    const { secret = link?.secret } = keyring;
    const wanted: PatientLink = { patientId, tokens: establishedTokens(link, keyring), ...(secret && { secret }) };
    const basic = linkBasic(config.systems, wanted, facts.patient !== undefined);
    if (!link) {
      link = linkIn(config.systems, [await source.ensure(basic)]);
    } else if (await source.replace({ ...basic, id: link.id }, link.versionId)) {
      return wanted;
    } else {
      link = await readLink(deps, patientId);
    }
    keyring = keyringOf(config, patientId, link, () => first.secret ?? deps.mint());
    if (link && isEstablished(link, keyring)) {
      return link;
    }
  }
  throw new Fault('contention');
}

/**
 * @param deps - The run.
 * @param patientId - The source Patient.
 * @returns The patient's link as it is now.
 * @throws Fault `source-*` when it cannot be read.
 */
export async function readLink({ source, config }: Deps, patientId: string): Promise<SavedLink | undefined> {
  const term = encodeURIComponent(linkTerm(config.systems, patientId));
  const page = await source.search(`Basic?identifier=${term}&_count=1`);
  return linkIn(
    config.systems,
    (page.entry ?? []).flatMap(({ resource }) => resource ?? [])
  );
}
