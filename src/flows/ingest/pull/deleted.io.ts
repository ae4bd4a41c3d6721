/** Marks what the partner has deleted, behind the same fence as everything that comes from it. */
import type { Resource } from '@medplum/fhirtypes';
import { createHash } from 'node:crypto';
import { REPLICATED_TYPES, patientIdOf } from '../../../config/policy.ts';
import type { Replicated } from '../../../config/policy.ts';
import { Fault } from '../../../observability/fault.ts';
import type { Write } from '../entries.ts';
import { gather } from '../gather.io.ts';
import { keyOf } from '../../origin-key.ts';
import { begin, commit, refresh } from '../take.io.ts';
import type { Work } from '../take.io.ts';
import { marked } from './deleted.ts';
import type { Deleted } from './deleted.ts';
import { partnerSender } from './deps.ts';
import type { PullDeps } from './deps.ts';

/** Records of one transaction, each with its Provenance. */
const TOGETHER = 20;
const TRIES = 10;

/**
 * Marks records as entered in error.
 *
 * @param deps - The run.
 * @param list - What the partner has deleted.
 * @returns Names to count: `marked`, `absent` for what never came or is marked already, `kept` for Patients, whom a person decides about.
 * @throws Fault `source-*`; `contention`.
 */
export async function markDeleted(deps: PullDeps, list: readonly Deleted[]): Promise<string[]> {
  const sender = partnerSender(deps);
  const types: readonly string[] = REPLICATED_TYPES;
  const mine = list.filter(({ type }) => types.includes(type) && type !== 'Patient');
  const counts: string[] = list
    .filter((each) => !mine.includes(each))
    .map(({ type }) => (type === 'Patient' ? 'kept' : 'absent'));
  const work = mine.length > 0 ? await begin(deps, sender, { kind: 'batch', entries: [] }) : undefined;
  for (let at = 0; work && at < mine.length; at += TOGETHER) {
    const lot = mine.slice(at, at + TOGETHER);
    const done = await markLot(work, lot);
    counts.push(...lot.map((_, index) => (index < done ? 'marked' : 'absent')));
  }
  return counts;
}

async function markLot(work: Work, lot: readonly Deleted[]): Promise<number> {
  const { deps, sender } = work;
  const { systems } = deps.config;
  const named = lot.map((each) => ({ ...each, key: keyOf(sender.organizationId, each.type, `id:${each.id}`) }));
  const keysOf = (type: string): string[] => named.flatMap((each) => (each.type === type ? [each.key] : []));
  const keys = new Map([...new Set(lot.map(({ type }) => type))].map((type) => [type, keysOf(type)]));
  for (let tries = 0; tries < TRIES; tries++) {
    const known = await gather(deps.source, systems, sender, { tokens: [], patients: [], keys });
    const writes = named.flatMap(({ type, id, key }) => {
      const record = known.taken.get(`key:${type}:${key}`);
      const resource = record && marked(record, systems);
      return record && resource ? [writeOf({ type, id }, key, record, resource)] : [];
    });
    const stored = writes.length > 0 ? await commit(work, writes) : undefined;
    if (stored?.kind === 'refused') {
      throw new Fault('source-refused', ['what the partner has deleted cannot be marked']);
    }
    if (stored?.kind !== 'raced') {
      return writes.length;
    }
    await refresh(work);
  }
  throw new Fault('contention');
}

function writeOf({ type, id }: Deleted, key: string, record: Resource, resource: Resource): Write {
  return {
    received: {
      index: 0,
      type,
      resource: {},
      fullUrl: undefined,
      isReplacement: true,
      name: `id:${id}`,
      version: {},
      digest: createHash('sha256').update(`DELETE ${type}/${id}`).digest('hex'),
      issues: [],
    },
    planned: {
      kind: 'write',
      action: 'updated',
      resource,
      key,
      reference: `${type}/${record.id}`,
      patient: `Patient/${patientIdOf(record as Replicated)}`,
      warnings: [],
      replaces: record.meta?.versionId,
    },
  };
}
