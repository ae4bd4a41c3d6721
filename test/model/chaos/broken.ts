/** An invariant that did not hold. */
export class Broken extends Error {}

/**
 * @param isKept - Whether it holds.
 * @param otherwise - What is wrong if it does not.
 * @throws Broken if it does not.
 */
export function must(isKept: boolean, otherwise: string): void {
  if (!isKept) {
    throw new Broken(otherwise);
  }
}
