/** The patients whose copies an answer holds, and which of the copies this requester may see. Pure. */
import type { Consent, Patient, Resource } from '@medplum/fhirtypes';
import type { Config } from '../../config/load.ts';
import type { Inspected } from '../../ports.ts';
import { mayPass, purposeOf } from '../../rules/access/gateway.ts';
import type { Requester, Role } from '../../rules/access/role.ts';
import { actorsOf } from '../../rules/access/role.ts';
import { decideClasses } from '../../rules/consent/classes.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import { mayReplicate } from '../../rules/consent/gate.ts';
import { keyringOf } from '../keyring.ts';
import type { SavedLink } from '../link.ts';
import { organizationsOf } from '../standing.ts';

/** One patient of the source. */
export interface Person {
  readonly patient: Patient & { readonly id: string };
  readonly link: SavedLink;
  readonly consents: readonly Consent[];
  /** Those of the types that were found. */
  readonly records: readonly Resource[];
}

/** In whose name it is judged. */
export interface Judging {
  readonly config: Config;
  readonly requester: Requester;
  readonly at: string;
}

/** A copy that may be shown, and by what. */
export interface Shown {
  readonly copy: Inspected;
  readonly decision: Decision;
}

/**
 * @param role - The role that counts.
 * @param judging - In whose name.
 * @returns For what the Consents are asked. What is shown may be stored by whoever sees it, so it is a disclosure, as the copy was; a patient sees what
 *   the replica may hold, everybody else is the actor themselves.
 */
function askingOf(
  role: Role,
  { config, requester, at }: Judging
): { purpose: string; actors: readonly string[]; systems: Config['systems'] } {
  const { consent, systems } = config;
  return {
    purpose: purposeOf(role, consent.purpose),
    actors: role === 'PATIENT' ? consent.actors : actorsOf(requester, at),
    systems,
  };
}

/**
 * Asks whether the Consents permit this requester anything at all.
 *
 * @param person - A patient whom the request names.
 * @param role - The role that counts.
 * @param judging - In whose name.
 * @returns A refusal when no class of data is permitted.
 */
export function nothingPermitted(
  { patient, consents }: Pick<Person, 'patient' | 'consents'>,
  role: Role,
  judging: Judging
): Decision | undefined {
  const decisions = decideClasses(consents, patient.id, askingOf(role, judging), judging.at).map(
    ({ decision }) => decision
  );
  return decisions.every(({ decision }) => decision !== 'permit') ? decisions[0] : undefined;
}

/**
 * Judges what was found, copy by copy, by the record behind it.
 *
 * @param copies - As the replica gave them.
 * @param people - The patients that are known.
 * @param judging - In whose name.
 * @returns The copies of records that this requester may see. One without our label, digest or record is none of them.
 */
export function shownOf(copies: readonly Inspected[], people: readonly Person[], judging: Judging): Shown[] {
  const wanted = new Set(copies.map(({ token }) => token));
  const permitted = new Map(people.flatMap((person) => permittedOf(person, wanted, judging)));
  return copies.flatMap((copy) => {
    const decision = copy.digest === undefined ? undefined : permitted.get(copy.token);
    return decision ? [{ copy, decision }] : [];
  });
}

/** Only what is on the page is decided about: a patient may have thousands of records. */
function permittedOf(person: Person, wanted: ReadonlySet<string>, judging: Judging): [token: string, Decision][] {
  const { patient, link, consents, records } = person;
  const { config, requester, at } = judging;
  const setting = { patientId: patient.id, roleSystem: config.systems.role, at };
  const standing = mayPass(requester, setting, organizationsOf(patient));
  if (!standing.ok) {
    return [];
  }
  const { purpose, actors, systems } = askingOf(standing.role, judging);
  // A patient who has no keys yet has no copies: what is minted here names nothing.
  const { keys, former } = keyringOf(config, patient.id, link, () => '00');
  const tokensOf = ({ resourceType, id = '' }: Resource): string[] =>
    [keys, ...(former ? [former] : [])]
      .map((one) => (resourceType === 'Patient' ? one.patientToken : one.token(resourceType, id)))
      .filter((token) => wanted.has(token));
  return [patient, ...records].flatMap((resource) => {
    const tokens = tokensOf(resource);
    if (tokens.length === 0) {
      return [];
    }
    const decision = mayReplicate(consents, {
      patient: `Patient/${patient.id}`,
      purpose,
      ...(actors.length > 0 && { actor: actors }),
      resource,
      at,
      dataClassSystem: systems.dataClass,
    });
    return decision.decision === 'permit' ? tokens.map((token): [string, Decision] => [token, decision]) : [];
  });
}
