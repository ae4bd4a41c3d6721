/** Who did what is written down, by everybody, and without names. Pure. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { isAudited } from '../../deploy/readers.ts';
import type { Facts, Oversight } from '../facts.ts';
import { fail, judged, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';
import { referencesOf } from './bots.ts';
import { SEE_REPLICA } from './server.ts';

/** `platform.md` §4.4, seen on 5.0.10: the absence of an event proves nothing. */
const UNRECORDED =
  'Medplum writes no event of searches and GraphQL lists, of failed or denied requests, of tokens, vread, $expunge, the contents of $everything, and of callers without AuditEvent create';

export function replicaAuditSaved({ replica }: Facts): Judgement {
  const copy = replica?.newestCopy;
  if (!copy) {
    return unseen('the AuditEvents of the replica', SEE_REPLICA);
  }
  if (copy === 'none') {
    const seen = replica && 'rows' in replica.events && replica.events.rows.length > 0;
    return seen
      ? ok('there are some; of copies there is none yet')
      : warn('there is no copy yet whose AuditEvent could be looked for', 'Run the doctor again after the first copy.');
  }
  return copy.isAudited
    ? ok(`the newest copy is in the trail. ${UNRECORDED}`)
    : fail(
        `no AuditEvent knows Patient/${copy.id}, the newest copy`,
        'Set saveAuditEvents in the replica’s server configuration, and give the bots’ client an AuditEvent create entry in its policy: without either its requests leave no trace.'
      );
}

export function namesRedacted({ source, replica }: Facts): Judgement {
  const complaints = [...named('source', source), ...(replica ? named('replica', replica) : [])];
  const isSeen = 'rows' in source.events && replica !== undefined && 'rows' in replica.events;
  const remedy =
    'A project admin sets redactAuditEvents in Project.setting; from then on names stay out of what the platform writes. What was written before keeps them.';
  if (complaints.length > 0) {
    return warn(complaints.join('; '), remedy);
  }
  return isSeen ? ok('in both projects') : unseen('the AuditEvents of the replica', SEE_REPLICA);
}

function named(where: string, { project, events }: Oversight): string[] {
  if (project?.setting?.some(({ name, valueBoolean }) => name === 'redactAuditEvents' && valueBoolean)) {
    return [];
  }
  const count = 'rows' in events ? events.rows.filter(hasName).length : 0;
  return count > 0
    ? [`${where}: ${count} of the newest ${'rows' in events ? events.rows.length : 0} AuditEvents hold a name`]
    : [];
}

/** What a copy is called by its de-identification (`rules/deid/patient.ts`) is no name: a piece of its token, and asterisks. */
const OUR_LABEL = /^(Patient \[[A-Z]+\]|[* ]+)$/;

function hasName({ entity = [] }: AuditEvent): boolean {
  return entity.some(
    ({ what }) =>
      what?.display !== undefined && what.reference?.startsWith('Patient/') === true && !OUR_LABEL.test(what.display)
  );
}

/** The server writes the AuditEvent of a request in the name of its caller (`platform.md` §4.3). */
export function auditedCallers({ source, replica }: Facts): Judgement {
  const complaints = [...unaudited('source', source), ...(replica ? unaudited('replica', replica) : [])];
  const isSeen = 'rows' in source.policies && replica !== undefined && 'rows' in replica.policies;
  if (complaints.length === 0 && !isSeen) {
    return unseen('the policies of the replica', SEE_REPLICA);
  }
  return judged(
    complaints,
    warn,
    'every policy in use lets the server write the AuditEvent',
    'Add { "resourceType": "AuditEvent", "interaction": ["create"] } to the policy: what its holders read and write leaves no trace.'
  );
}

function unaudited(where: string, { policies, memberships }: Oversight): string[] {
  if ('problem' in policies) {
    return [];
  }
  const used =
    'rows' in memberships
      ? new Map(memberships.rows.flatMap((row) => referencesOf(row).map((reference) => [reference, row] as const)))
      : undefined;
  return policies.rows
    .filter((policy) => !isAudited(policy) && (!used || used.has(`AccessPolicy/${policy.id}`)))
    .map(({ id, name }) => `${where}: AccessPolicy/${id} (${name ?? 'without a name'}) has no AuditEvent create`);
}
