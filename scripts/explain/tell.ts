/** What is to be said about a record: the decision, its evidence, what would be sent. For an operator, who may see the source. */
import type { Resource, Task } from '@medplum/fhirtypes';
import { isReplicated, REPLICATED_TYPES } from '../../src/config/policy.ts';
import { open } from '../../src/fhir/sealed.ts';
import { jobsOf, prospectOf } from '../../src/flows/sync/explain.ts';
import type { Prospect } from '../../src/flows/sync/explain.ts';
import type { Facts } from '../../src/flows/sync/facts.ts';
import { decide } from '../../src/flows/sync/plan.ts';
import type { Decision } from '../../src/rules/consent/decision.ts';
import { explain } from '../../src/rules/consent/explain.ts';
import type { Source } from '../consent/project.ts';
import type { PatientFacts, RecordFacts } from './gather.ts';

/**
 * One record.
 *
 * @param source - The source.
 * @param about - The record and its facts.
 * @param at - When.
 * @returns Lines.
 */
export function recordLines(source: Source, { record, facts, jobs }: RecordFacts, at: string): string[] {
  const decision = consentsSay(source, facts, record, at);
  return [
    `${record.resourceType}/${record.id} version ${record.meta?.versionId ?? '?'} of Patient/${facts.patientId}, at ${at}`,
    '',
    explain(decision),
    ...evidenceLines(decision),
    '',
    ...sendingLines(source, facts, record, at),
    linkLine(facts),
    ...queueLines(source, jobs, `${record.resourceType}/${record.id}`),
    'Nothing was sent; the replica was not asked.',
  ];
}

/**
 * All records of a patient, type by type.
 *
 * @param source - The source.
 * @param facts - The patient's records and jobs.
 * @param at - When.
 * @returns Lines.
 */
export function patientLines(source: Source, { facts, jobs }: PatientFacts, at: string): string[] {
  const records = [...facts.records.values()];
  const rows = REPLICATED_TYPES.map((type) => {
    const own = records.filter(({ resourceType }) => resourceType === type);
    const answers = own.map((record) => answerOf(source, facts, record, at));
    return [type, String(own.length), countsOf(answers)] as const;
  }).filter(([, count]) => count !== '0');
  const width = Math.max(...rows.map(([type]) => type.length));
  return [
    `Patient/${facts.patientId}, at ${at}: ${facts.consents.length} Consents`,
    '',
    ...rows.map(([type, count, counts]) => `  ${type.padEnd(width)}  ${count.padStart(6)}  ${counts}`),
    '',
    linkLine(facts),
    ...queueLines(source, jobs),
    'Nothing was sent; the replica was not asked. Name a record (Type/id) to see why.',
  ];
}

function consentsSay({ purpose, actors, systems }: Source, facts: Facts, resource: Resource, at: string): Decision {
  return decide(facts, resource, { config: { consent: { purpose, actors }, systems }, at });
}

function answerOf(source: Source, facts: Facts, record: Resource, at: string): string {
  if (!('config' in source.loaded)) {
    const { decision, reason } = consentsSay(source, facts, record, at);
    return decision === 'permit' ? 'permitted' : reason;
  }
  const { would, reason } = prospectOf(source.loaded.config, facts, record, at);
  return reason ?? (would === 'copy' ? 'would be copied' : would);
}

function queueLines({ systems }: Source, jobs: readonly Task[], name?: string): string[] {
  const open = jobsOf(systems, jobs, name).map(
    ({ type, status, focus = '', due, attempts, reason }) =>
      `queue: ${type} ${focus} ${status}, due ${due}, tried ${attempts} times${reason ? ` (${reason})` : ''}`
  );
  return open.length > 0 ? open : ['queue: no open job'];
}

function countsOf(answers: readonly string[]): string {
  return [...Map.groupBy(answers, (answer) => answer)]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([answer, { length }]) => `${length} ${answer}`)
    .join(', ');
}

function evidenceLines({ dimensions, considered }: Decision): string[] {
  const rows = dimensions.map(({ dimension, requested, listed, holds }) => [
    dimension,
    holds,
    requested.join(' '),
    listed.join(' '),
  ]);
  const table = rows.length > 0 ? [['condition', 'holds', 'the request or the data', 'the Consent'], ...rows] : [];
  return [
    ...(table.length > 0 ? ['', ...aligned(table)] : []),
    ...(considered.length > 0 ? [''] : []),
    ...considered.map(
      ({ id, versionId, decision, reason, policies }) =>
        `  Consent/${id} version ${versionId}: ${decision} (${reason})${policies ? `; policies read as text: ${policies.join(', ')}` : ''}`
    ),
  ];
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}

function sendingLines({ loaded }: Source, facts: Facts, record: Resource, at: string): string[] {
  if (!isReplicated(record)) {
    return [`${record.resourceType} is not a replicated type: it never leaves, whatever the Consents say.`, ''];
  }
  if ('problems' in loaded) {
    return ['What would be sent cannot be shown:', ...loaded.problems.map((problem) => `  ${problem}`), ''];
  }
  const { would, reason, planned } = prospectOf(loaded.config, facts, record, at);
  if (planned?.action === 'put') {
    return ['What would be sent:', JSON.stringify(open(planned.sealed), null, 2), ''];
  }
  const lines: Readonly<Partial<Record<Prospect, string>>> = {
    quarantine: `Consent permits, but de-identification refuses: ${reason}. It stays here.`,
    erase: `Nothing would be sent (${reason}); a copy, if there is one, would be erased.`,
  };
  return [lines[would] ?? `Nothing would be sent (${reason}).`, ''];
}

function linkLine({ isLinked }: Facts): string {
  return isLinked
    ? 'link: something of this patient has been sent before.'
    : 'link: none, or of the past; nothing of this patient is on the replica.';
}
