/** Originals that lie under the payload key before the present one: a sweep encrypts them anew, whether or not their records change. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { ReplicatedType } from '../../config/policy.ts';
import type { Deps } from '../deps.ts';
import { originalIn, underKeySearch } from '../payload.ts';
import type { Hint } from './facts.ts';
import { PAGE_SIZE } from './page.io.ts';

/** Originals of one patient, at most a page. */
export interface Outdated {
  readonly patientId: string;
  readonly hints: readonly Hint[];
}

/**
 * Finds what is left to encrypt anew, a page at a time: what has been renewed is no longer found.
 *
 * @param deps - The run.
 * @param done - Those that were tried in this run; a record that cannot be renewed is not tried again and again.
 * @returns Originals by patient; none when all are under the present key, or no key of before is kept.
 * @throws Fault `source-*` when they cannot be read.
 */
export async function outdated({ source, vault, config }: Deps, done: Set<string>): Promise<Outdated[]> {
  if (vault?.formerKid === undefined) {
    return [];
  }
  const page = await source.search(underKeySearch(config.systems, vault.formerKid, PAGE_SIZE));
  const found = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
  const kept = found.flatMap((one) => originalIn(config.systems, one) ?? []).filter(({ record }) => !done.has(record));
  kept.forEach(({ record }) => done.add(record));
  return [...Map.groupBy(kept, ({ patientId }) => patientId)].map(([patientId, some]) => ({
    patientId,
    hints: some.flatMap(({ record }) => hintOf(record) ?? []),
  }));
}

function hintOf(record: string): Hint | undefined {
  const [type, id] = record.split('/');
  const resourceType = REPLICATED_TYPES.find((one): one is ReplicatedType => one === type);
  return resourceType && id ? { resourceType, id } : undefined;
}
