/** Several copies under one token: the first in id order stays, whoever looks. */
import type { Change, Copy, CopyName, Eraser, ReplicaFhir, ReplicaOutcome } from '../../ports.ts';
import { inIdOrder } from './compare.ts';
import { searchesOf } from './search.ts';

/** Who can write and remove copies. */
export interface Hands {
  readonly replica: ReplicaFhir;
  readonly eraser: Eraser | undefined;
}

/**
 * Looks for copies under some tokens, and removes all but the first ones.
 *
 * @param hands - The replica, and the eraser if there is one.
 * @param targets - The records.
 * @param keep - How many stay under each token.
 * @returns How the replica took it.
 */
export async function keepFirst(hands: Hands, targets: readonly CopyName[], keep: 0 | 1): Promise<ReplicaOutcome> {
  return removeExtra(hands, targets, await extraOf(hands, targets, keep));
}

/**
 * @param hands - The replica.
 * @param targets - The records.
 * @param keep - How many stay under each token.
 * @returns Copies that are too many.
 * @throws Fault `replica-*`.
 */
export async function extraOf(
  { replica }: Pick<Hands, 'replica'>,
  targets: readonly CopyName[],
  keep: 0 | 1
): Promise<Copy[]> {
  const copies = await replica.find(searchesOf(targets));
  const same = [...Map.groupBy(copies, ({ token }) => token).values()];
  return same.flatMap((some) => inIdOrder(some).slice(keep));
}

/**
 * Removes copies that are too many. With an eraser their history goes as well: once they are deleted, nobody finds them by their token any
 * more, and a revocation would leave it behind.
 *
 * @param hands - The replica, and the eraser if there is one.
 * @param targets - The records that they are of, or more.
 * @param extra - The copies.
 * @returns How the replica took it.
 * @throws Fault `replica-*` when the eraser could not see that they are gone.
 */
export async function removeExtra(
  { replica, eraser }: Hands,
  targets: readonly CopyName[],
  extra: readonly Copy[]
): Promise<ReplicaOutcome> {
  if (extra.length === 0) {
    return { kind: 'done', status: 200 };
  }
  if (!eraser) {
    return replica.write(extra.map((copy): Change => ({ action: 'delete', copy })));
  }
  const tokens = new Set(extra.map(({ token }) => token));
  await eraser.erase(
    targets.filter(({ token }) => tokens.has(token)),
    extra
  );
  return { kind: 'done', status: 200 };
}
