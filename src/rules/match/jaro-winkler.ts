/** How alike two texts are (Jaro 1989; Winkler 1990). Pure. */

/** Winkler's: a common begin of up to four characters counts, each by a tenth of what is missing. */
const PREFIX = 4;
const SCALE = 0.1;

/**
 * @param a - A text.
 * @param b - Another.
 * @returns 0 for nothing in common, 1 for equal.
 */
export function similarity(a: string, b: string): number {
  if (a === b) {
    return a === '' ? 0 : 1;
  }
  const [one, other] = [[...a], [...b]];
  const reach = Math.max(0, Math.floor(Math.max(one.length, other.length) / 2) - 1);
  const taken = new Set<number>();
  const matches: string[] = [];
  for (const [index, character] of one.entries()) {
    const from = Math.max(0, index - reach);
    const found = other.findIndex(
      (each, place) => place >= from && place <= index + reach && each === character && !taken.has(place)
    );
    if (found >= 0) {
      taken.add(found);
      matches.push(character);
    }
  }
  if (matches.length === 0) {
    return 0;
  }
  const back = [...taken].sort((x, y) => x - y).map((place) => other[place]);
  const transposed = matches.filter((character, index) => character !== back[index]).length / 2;
  const share = matches.length;
  const jaro = (share / one.length + share / other.length + (share - transposed) / share) / 3;
  const limit = Math.min(PREFIX, one.length, other.length);
  const differs = one.slice(0, limit).findIndex((character, index) => character !== other[index]);
  return jaro + (differs < 0 ? limit : differs) * SCALE * (1 - jaro);
}
