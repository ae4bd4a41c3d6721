/** What is to be said about a record: the decision, its evidence, what would be sent. For an operator, who may see the source. */
import type { Resource } from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import type { Config } from '../../src/config/load.ts';
import { isReplicated, REPLICATED_TYPES } from '../../src/config/policy.ts';
import type { Replicated } from '../../src/config/policy.ts';
import { open } from '../../src/fhir/sealed.ts';
import type { Facts } from '../../src/flows/sync/facts.ts';
import { hintOf } from '../../src/flows/sync/facts.ts';
import { keyringOf } from '../../src/flows/keyring.ts';
import { plan } from '../../src/flows/sync/plan.ts';
import type { Plan, Rules } from '../../src/flows/sync/plan.ts';
import type { Decision } from '../../src/rules/consent/decision.ts';
import { explain } from '../../src/rules/consent/explain.ts';
import { mayReplicate } from '../../src/rules/consent/gate.ts';
import type { Source } from '../consent/project.ts';
import type { RecordFacts } from './gather.ts';

/** There is no durable queue yet, and that is what we say. */
const QUEUE = 'queue: none. A failed copy is tried again within its run, then by the next sweep.';

/**
 * One record.
 *
 * @param source - The source.
 * @param about - The record and its facts.
 * @param at - When.
 * @returns Lines.
 */
export function recordLines(source: Source, { record, facts }: RecordFacts, at: string): string[] {
  const decision = decide(source, facts, record, at);
  return [
    `${record.resourceType}/${record.id} version ${record.meta?.versionId ?? '?'} of Patient/${facts.patientId}, at ${at}`,
    '',
    explain(decision),
    ...evidenceLines(decision),
    '',
    ...sendingLines(source, facts, record, at),
    linkLine(facts),
    QUEUE,
    'Nothing was sent; the replica was not asked.',
  ];
}

/**
 * All records of a patient, type by type.
 *
 * @param source - The source.
 * @param facts - The patient's records.
 * @param at - When.
 * @returns Lines.
 */
export function patientLines(source: Source, facts: Facts, at: string): string[] {
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
    QUEUE,
    'Nothing was sent; the replica was not asked. Name a record (Type/id) to see why.',
  ];
}

function decide({ purpose, actors, systems }: Source, facts: Facts, resource: Resource, at: string): Decision {
  return mayReplicate(facts.consents, {
    patient: `Patient/${facts.patientId}`,
    purpose,
    ...(actors.length > 0 && { actor: actors }),
    resource,
    at,
    dataClassSystem: systems.dataClass,
  });
}

function planOf(config: Config, facts: Facts, record: Replicated, at: string): Plan {
  // Without a link the tokens of profile `safe-harbor` do not exist yet; what is shown instead is of the moment.
  const { keys } = keyringOf(config, facts.patientId, facts.link, () => randomBytes(32).toString('hex'));
  const rules: Rules = { config, keys, at, memo: new Map() };
  return plan(facts, hintOf(record).hint, rules);
}

function answerOf(source: Source, facts: Facts, record: Replicated, at: string): string {
  if (!('config' in source.loaded)) {
    const { decision, reason } = decide(source, facts, record, at);
    return decision === 'permit' ? 'permitted' : reason;
  }
  const planned = planOf(source.loaded.config, facts, record, at);
  return planned.action === 'put' ? 'would be copied' : planned.reason;
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
  const planned = planOf(loaded.config, facts, record, at);
  switch (planned.action) {
    case 'put':
      return ['What would be sent:', JSON.stringify(open(planned.sealed), null, 2), ''];
    case 'quarantine':
      return [`Consent permits, but de-identification refuses: ${planned.reason}. It stays here.`, ''];
    default:
      return [
        planned.action === 'withdraw'
          ? `Nothing would be sent (${planned.reason}); a copy, if there is one, would be erased.`
          : `Nothing would be sent (${planned.reason}).`,
        '',
      ];
  }
}

function linkLine({ isLinked }: Facts): string {
  return isLinked
    ? 'link: something of this patient has been sent before.'
    : 'link: none, or of the past; nothing of this patient is on the replica.';
}
