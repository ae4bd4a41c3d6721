/** Reads members of a cohort on both sides, and asks the Consents about them as they are now. */
import type { Consent, Patient, PractitionerRole, Resource } from '@medplum/fhirtypes';
import { patientIdOf, patientSearch } from '../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../config/policy.ts';
import type { Inspected } from '../../ports.ts';
import { mayPass } from '../../rules/access/gateway.ts';
import { RESEARCH } from '../../rules/access/research.ts';
import { actorsOf } from '../../rules/access/role.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import { mayReplicate } from '../../rules/consent/gate.ts';
import { cellOf } from '../../rules/research/study.ts';
import type { Deps } from '../deps.ts';
import { keyringOf } from '../keyring.ts';
import { linkIn } from '../link.ts';
import type { SavedLink } from '../link.ts';
import { readAll } from '../read-all.io.ts';
import { organizationsOf, requesterOf } from '../standing.ts';
import type { Member } from './state.ts';

/** Tokens are forty characters long with their system, and a URL may not be of any length. */
const TERMS = 25;

/** In whose name. */
export interface Standing {
  readonly requester: string;
  readonly roles: readonly PractitionerRole[];
}

/** A member of whom the Patient may be shown. */
export interface Asked {
  readonly member: Member & { readonly cell: string };
  readonly copy: Inspected;
  readonly patientId: string;
  readonly consents: readonly Consent[];
  readonly link: SavedLink;
  readonly decision: Decision;
  /** Asks about one record. */
  readonly decide: (record: Resource) => Decision;
}

/**
 * @param deps - The run.
 * @param standing - In whose name.
 * @param members - At most 50.
 * @returns Those whose Consents permit research with the Patient's copy, in this requester's hands; three requests to the source, one to the replica.
 * @throws Fault `source-*` or `replica-*`: an unread Consent is never an absent one.
 */
export async function ask(deps: Deps, standing: Standing, members: readonly Member[]): Promise<Asked[]> {
  const { source, replica, config, clock } = deps;
  const { systems } = config;
  const at = new Date(clock.now()).toISOString();
  const copies = await replica.inspect([`Patient?_id=${members.map(({ id }) => id).join(',')}&_count=100`]);
  const known = copies.filter(({ resourceType, digest }) => resourceType === 'Patient' && digest !== undefined);
  const links = await linksOf(
    deps,
    known.map(({ token }) => token)
  );
  const ids = [...new Set([...links.values()].map(({ patientId }) => patientId))];
  const [patients, consents] = [
    await readAll(
      source,
      ids.map((id) => `Patient/${id}`)
    ),
    await readAll(
      source,
      ids.map((id) => `Consent?patient=Patient/${id}&_count=100`)
    ),
  ];
  const requester = requesterOf({ roles: standing.roles, encounters: [] }, config, {
    requester: standing.requester,
    at,
  });
  const actors = actorsOf(requester, at);
  return known.flatMap((copy): Asked[] => {
    const link = links.get(copy.token);
    const index = ids.indexOf(link?.patientId ?? '');
    const patient = patients[index]?.[0] as Patient | undefined;
    const setting = { patientId: patient?.id, roleSystem: systems.role, at };
    if (!link || !patient || !mayPass(requester, setting, organizationsOf(patient)).ok) {
      return [];
    }
    const own = (consents[index] ?? []) as Consent[];
    const decide = (resource: Resource): Decision =>
      mayReplicate(own, {
        patient: `Patient/${link.patientId}`,
        purpose: RESEARCH,
        ...(actors.length > 0 && { actor: actors }),
        resource,
        at,
        dataClassSystem: systems.dataClass,
      });
    const decision = decide(patient);
    return decision.decision === 'permit'
      ? [
          {
            member: { id: copy.id, token: copy.token, cell: cellOf(copy.content) },
            copy,
            patientId: link.patientId,
            consents: own,
            link,
            decision,
            decide,
          },
        ]
      : [];
  });
}

/**
 * The copies of records about which the Consents permit research. A copy without our label, digest or record is none of them.
 *
 * @param deps - The run.
 * @param asked - At most ten members.
 * @param types - Which types.
 * @returns The copies, the Patients among them, and the deciding Consents.
 * @throws Fault `source-*` or `replica-*`.
 */
export async function copiesFor(
  deps: Deps,
  asked: readonly Asked[],
  types: readonly ReplicatedType[]
): Promise<{ readonly copies: readonly Inspected[]; readonly decisions: readonly Decision[] }> {
  const own = types.filter((type) => type !== 'Patient');
  const searches = asked.flatMap(({ patientId }) =>
    own.map((type) => `${patientSearch(type, patientId)}&_count=1000&_sort=_lastUpdated`)
  );
  const records = searches.length > 0 ? ((await readAll(deps.source, searches)).flat() as Replicated[]) : [];
  const byPatient = Map.groupBy(records, patientIdOf);
  const permitted = new Map<string, Decision>();
  for (const { patientId, link, decide } of asked) {
    const { keys, former } = keyringOf(deps.config, patientId, link, deps.mint);
    for (const record of byPatient.get(patientId) ?? []) {
      const decision = decide(record);
      if (decision.decision === 'permit') {
        [keys, ...(former ? [former] : [])].forEach((one) =>
          permitted.set(one.token(record.resourceType, record.id ?? ''), decision)
        );
      }
    }
  }
  const queries = asked.flatMap(({ member }) => own.map((type) => `${patientSearch(type, member.id)}&_count=1000`));
  const found = queries.length > 0 ? await deps.replica.inspect(queries) : [];
  const copies = found.filter(({ digest, token }) => digest !== undefined && permitted.has(token));
  const patients = types.includes('Patient') ? asked.map(({ copy }) => copy) : [];
  return {
    copies: [...patients, ...copies],
    decisions: [...asked.map(({ decision }) => decision), ...copies.flatMap(({ token }) => permitted.get(token) ?? [])],
  };
}

async function linksOf({ source, config }: Deps, tokens: readonly string[]): Promise<Map<string, SavedLink>> {
  const chunks = Array.from({ length: Math.ceil(tokens.length / TERMS) }, (_, at) =>
    tokens.slice(at * TERMS, (at + 1) * TERMS)
  );
  const { systems } = config;
  const searches = chunks.map((some) => {
    const terms = some.map((token) => encodeURIComponent(`${systems.patientToken}|${token}`)).join(',');
    return `Basic?identifier=${terms}&_count=100`;
  });
  const basics = searches.length > 0 ? (await readAll(source, searches)).flat() : [];
  const links = basics.flatMap((basic) => linkIn(systems, [basic]) ?? []);
  return new Map(links.flatMap((link) => link.tokens.map(({ value }) => [value, link] as const)));
}
