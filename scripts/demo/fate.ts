/** What became of each record of the source, by three witnesses: the source, the replica and our audit trail. Pure. */
import type { AuditEvent, Reference, Resource } from '@medplum/fhirtypes';
import { isReplicated, patientIdOf } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { flawsOf, tokensOf } from './flaws.ts';
import { grouped } from './report.ts';
import type { Problem, Report, TypeCounts } from './report.ts';

/** What a bot last said about a record. */
interface Statement {
  readonly action: string;
  readonly reason: string | undefined;
  readonly token: string | undefined;
}

type Fate =
  | { readonly kind: 'replicated' }
  | { readonly kind: 'withheldByConsent' | 'withheldByPolicy'; readonly reason: string }
  | { readonly kind: 'failed'; readonly message: string };

/** House rules on top of what patients say: documentation of Encounters that go on, no genetics, nothing that no class of data can be found for. */
const HOUSE_RULES = ['marked-no-sync', 'encounter-unfinished', 'consent-genetics', 'consent-unclassified'];

/** What a reason code means to somebody who runs the demo. */
const MEANINGS: Readonly<Record<string, string>> = {
  'patient-deleted': 'its patient is not in the source',
  'replica-unavailable': 'the replica did not answer',
  'replica-rejected': 'the replica refuses it',
  'replica-unauthorised': 'the replica does not accept the credentials',
  'required-element': 'an element that FHIR requires is missing or not valid',
};

/** A record of the source, and which entry it came from. */
export interface Origin {
  readonly resource: Resource;
  readonly input?: number;
  readonly index?: number;
}

/**
 * @param records - All records of the source, as the source has them.
 * @param copies - All resources of the replica.
 * @param trail - The source's AuditEvents, oldest first.
 * @returns Counts by type, and a problem for what failed.
 */
export function fates(
  records: readonly Origin[],
  copies: readonly Resource[],
  trail: readonly AuditEvent[]
): Pick<Report, 'types' | 'reasons'> & { readonly problems: Problem[] } {
  const statements = statementsOf(trail);
  const held = new Set(copies.flatMap(tokensOf));
  const accounted = new Set<string>();
  const problems: Problem[] = [];
  const types = new Map<string, TypeCounts>();
  const reasons: Record<string, number> = {};
  for (const { resource, ...entry } of records) {
    const type = resource.resourceType;
    const statement = statements.get(`${type}/${resource.id}`);
    const fate = fateOf(resource, statement, held);
    if (fate.kind === 'failed') {
      problems.push({ kind: 'sync', ...entry, type, message: fate.message });
    } else if (fate.kind !== 'replicated') {
      reasons[fate.reason] = (reasons[fate.reason] ?? 0) + 1;
    } else if (statement?.token) {
      accounted.add(statement.token);
    }
    const sofar = types.get(type) ?? {
      inSource: 0,
      replicated: 0,
      withheldByConsent: 0,
      withheldByPolicy: 0,
      failed: 0,
    };
    types.set(type, { ...sofar, inSource: sofar.inSource + 1, [fate.kind]: sofar[fate.kind] + 1 });
  }
  problems.push(...flawsOf(copies, accounted));
  return {
    types: Object.fromEntries([...types].sort(([a], [b]) => a.localeCompare(b))),
    reasons,
    problems: grouped(problems),
  };
}

function fateOf(record: Resource, statement: Statement | undefined, held: ReadonlySet<string>): Fate {
  if (!isReplicated(record)) {
    return { kind: 'withheldByPolicy', reason: 'type-not-replicated' };
  }
  if (!statement) {
    return patientIdOf(record) ? failed('no bot has said what became of it') : withoutPatient(record);
  }
  const { action, reason = 'unknown', token } = statement;
  const isHeld = token !== undefined && held.has(token);
  if (action === 'put') {
    return isHeld ? { kind: 'replicated' } : failed('was sent, but the replica does not hold it');
  }
  if (isHeld) {
    return failed(`is in the replica although the last run said: ${action}, ${reason}`);
  }
  if (action === 'quarantine' || action === 'fail') {
    return failed(
      `${action === 'fail' ? 'could not be copied' : 'was held back by de-identification'}: ${MEANINGS[reason] ?? reason}`
    );
  }
  if (HOUSE_RULES.includes(reason)) {
    return { kind: 'withheldByPolicy', reason };
  }
  return reason.startsWith('consent-')
    ? { kind: 'withheldByConsent', reason }
    : failed(`was not copied: ${MEANINGS[reason] ?? reason}`);
}

/** FHIR lets an Observation be about a Group or a Device: that is nobody's record. Naming no subject at all is an error. */
function withoutPatient(record: Resource): Fate {
  const { subject } = record as { subject?: Reference };
  return subject?.reference && !/^(urn:|Patient\b|.*\/Patient\/)/.test(subject.reference)
    ? { kind: 'withheldByPolicy', reason: 'subject-is-no-patient' }
    : failed('names no patient of the input as its subject');
}

function failed(message: string): Fate {
  return { kind: 'failed', message };
}

function statementsOf(trail: readonly AuditEvent[]): ReadonlyMap<string, Statement> {
  const { auditType } = systemsOf();
  const statements = new Map<string, Statement>();
  for (const { type, entity } of trail) {
    if (type.system !== auditType || type.code !== 'FHIR_SYNC') {
      continue;
    }
    for (const { what, detail } of entity ?? []) {
      const said = (name: string): string | undefined => detail?.find((one) => one.type === name)?.valueString;
      const action = said('action');
      if (what?.reference && action) {
        statements.set(what.reference, { action, reason: said('reason'), token: what.identifier?.value });
      }
    }
  }
  return statements;
}
