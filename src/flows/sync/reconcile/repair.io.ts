/** Brings in line what was found to differ, patient by patient, over the bulk path that all others take. */
import { REPLICATED_TYPES } from '../../../config/policy.ts';
import { Fault, faultCodeOf } from '../../../observability/fault.ts';
import type { FaultCode } from '../../../observability/fault.ts';
import type { Tally } from '../../../observability/tally.ts';
import type { Counts } from '../../reconciliation.ts';
import type { Deps } from '../../deps.ts';
import type { Hint } from '../facts.ts';
import { PAGE_SIZE, syncPage } from '../page.io.ts';
import { syncPatient } from '../patient.io.ts';
import type { Difference } from './differ.ts';

/** What is to be done about one patient. */
export interface Work {
  readonly differences: Difference[];
  /** Copies under no token of a record: then everything of the patient is looked at. */
  readonly strays: { readonly resourceType: string; readonly token: string }[];
  /** Whether everything of the patient is looked at for another reason: keys that have changed. */
  needsAll: boolean;
}

/** By patient. */
export type WorkList = Map<string, Work>;

type Count = (type: string, counts: Partial<Counts>) => void;

/** One record or patient must not hold back the others; what concerns all ends the run. */
const CONCERN_ONE: readonly (FaultCode | undefined)[] = [
  'contention',
  'replica-rejected',
  'replica-conflict',
  'replica-duplicate',
  'erasure-incomplete',
  'too-large',
];

/**
 * Repairs one patient after the other while there is time. What is done is taken from the list.
 *
 * @param deps - The run.
 * @param list - What is to be done; what is left over was not done.
 * @param isWhole - Whether all types are looked at anyway.
 * @param count - Is told what was found and what came of it, by type.
 * @param mayGoOn - Whether the limit of the run is not reached yet.
 * @throws Fault when either server cannot be reached, or `deadline`.
 */
export async function repair(
  deps: Deps,
  list: WorkList,
  isWhole: boolean,
  count: Count,
  mayGoOn: () => boolean
): Promise<void> {
  for (const [patientId, { differences, strays, needsAll }] of list) {
    if (!mayGoOn()) {
      list.clear();
      return;
    }
    if (deps.clock.now() >= deps.deadlineAt) {
      throw new Fault('deadline');
    }
    if (strays.length > 0 || needsAll) {
      const failed = await tolerant(async () => syncPatient(deps, patientId));
      told(differences, failed > 0 ? differences.length : 0, count);
      strays.forEach(({ resourceType }) =>
        count(resourceType, { orphaned: 1, ...(failed > 0 ? { errors: 1 } : { enqueued: 1 }) })
      );
    } else {
      await pages(deps, patientId, differences, isWhole, count);
    }
    list.delete(patientId);
  }
}

async function pages(
  deps: Deps,
  patientId: string,
  differences: Difference[],
  isWhole: boolean,
  count: Count
): Promise<void> {
  differences.sort((a, b) => rank(a.hint) - rank(b.hint));
  while (differences.length > 0) {
    const some = differences.slice(0, PAGE_SIZE);
    const suspects = new Set(some.flatMap(({ kind, token }) => (kind === 'tampered' ? [token] : [])));
    const hints = withEncounters(
      some.map(({ hint }) => hint),
      patientId
    );
    let failed = 0;
    for (let from = 0; from < hints.length; from += PAGE_SIZE) {
      failed += await tolerant(async () =>
        syncPage(deps, patientId, hints.slice(from, from + PAGE_SIZE), { isWhole, suspects })
      );
    }
    told(some, failed, count);
    differences.splice(0, some.length);
    if (differences.length > 0 && deps.clock.now() >= deps.deadlineAt) {
      throw new Fault('deadline');
    }
  }
}

/** A copy cannot be written before those that it refers to; where these are as they should be, this costs a comparison. */
function withEncounters(hints: readonly Hint[], patientId: string): Hint[] {
  const all = new Map<string, Hint>([
    ['Patient', { resourceType: 'Patient', id: patientId }],
    ...hints.flatMap(({ encounterId }) =>
      encounterId ? [[`Encounter/${encounterId}`, { resourceType: 'Encounter', id: encounterId }] as const] : []
    ),
    ...hints.map(
      (hint) => [hint.resourceType === 'Patient' ? 'Patient' : `${hint.resourceType}/${hint.id}`, hint] as const
    ),
  ]);
  return [...all.values()].sort((a, b) => rank(a) - rank(b));
}

function rank({ resourceType }: Hint): number {
  return REPLICATED_TYPES.indexOf(resourceType);
}

function told(differences: readonly Difference[], failed: number, count: Count): void {
  differences.forEach(({ hint, kind }, at) => {
    // Which of a page failed is in the trail; here it is how many.
    count(hint.resourceType, { [kind]: 1, ...(at < failed ? { errors: 1 } : { enqueued: 1 }) });
  });
}

async function tolerant(work: () => Promise<Tally>): Promise<number> {
  try {
    return (await work()).failed;
  } catch (error) {
    if (CONCERN_ONE.includes(faultCodeOf(error))) {
      return 1;
    }
    throw error;
  }
}
