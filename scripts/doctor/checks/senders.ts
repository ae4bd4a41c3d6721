/** Who may send to the bot `ingest`: each client in the name of one Organization. Pure. */
import type { ProjectMembership } from '@medplum/fhirtypes';
import { ownerOfRole } from '../../deploy/wanted.ts';
import type { Facts } from '../facts.ts';
import { judged, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';

const CLIENT = 'ClientApplication';

export function ingestSenders(facts: Facts): Judgement {
  const { memberships, policies, senders } = facts.source;
  const { systems } = facts;
  if ('problem' in senders || 'problem' in memberships || 'problem' in policies) {
    return unseen('the Organizations of senders, or who is a member');
  }
  const ours = policies.rows.filter(({ meta }) =>
    meta?.tag?.some(({ system, code }) => system === systems.control && code === ownerOfRole('SENDER'))
  );
  const mayAsk = new Set(ours.map(({ id }) => `AccessPolicy/${id}`));
  const namedBy = Map.groupBy(
    senders.rows
      .filter(({ active }) => active !== false)
      .flatMap(({ id, identifier = [] }) =>
        identifier
          .filter(({ system }) => system === systems.ingestClient)
          .map(({ value }) => ({ client: `${CLIENT}/${value}`, organization: `Organization/${id}` }))
      ),
    ({ client }) => client
  );
  const clients = memberships.rows.filter(({ profile }) => profile.reference?.startsWith(`${CLIENT}/`));
  const known = new Set(clients.map(({ profile }) => profile.reference));
  const holders = clients.filter((row) => policiesOf(row).some((policy) => mayAsk.has(policy)));
  const complaints = [
    ...holders.flatMap(({ profile: { reference = '' } }) =>
      namedBy.has(reference) ? [] : [`${reference} may send, but no active Organization names it`]
    ),
    ...[...namedBy].flatMap(([client, named]) => [
      ...(named.length > 1 ? [`${named.map(({ organization }) => organization).join(' and ')} name ${client}`] : []),
      ...(known.has(client) ? [] : [`${named[0]?.organization} names ${client}, which is not a member`]),
    ]),
  ];
  return judged(
    complaints,
    warn,
    namedBy.size > 0 ? `${namedBy.size}, each in the name of one Organization` : 'there are none',
    'A client sends in the name of the one active Organization whose identifier names it (docs/ingest.md); whatever any other sends is refused.'
  );
}

function policiesOf({ accessPolicy, access = [] }: ProjectMembership): string[] {
  return [accessPolicy, ...access.map(({ policy }) => policy)].flatMap((one) => one?.reference ?? []);
}
