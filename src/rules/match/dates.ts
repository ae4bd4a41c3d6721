/** How two birth dates stand to each other. Pure. */

export type DateLikeness = 'same' | 'transposed' | 'near' | 'different' | 'unknown';

const FULL = /^(\d{4})-(\d{2})-(\d{2})/;

/**
 * @param a - A FHIR date.
 * @param b - Another.
 * @returns `transposed` for day and month exchanged or two neighbouring digits, `near` for one digit; dates without a day tell nothing unless they differ.
 */
export function dateLikeness(a: string | undefined, b: string | undefined): DateLikeness {
  if (!a || !b) {
    return 'unknown';
  }
  const [one, other] = [FULL.exec(a), FULL.exec(b)];
  if (!one || !other) {
    const length = Math.min(a.length, b.length);
    return a.slice(0, length) === b.slice(0, length) ? 'unknown' : 'different';
  }
  const [digits, others] = [one.slice(1).join(''), other.slice(1).join('')];
  if (digits === others) {
    return 'same';
  }
  if (one[1] === other[1] && one[2] === other[3] && one[3] === other[2]) {
    return 'transposed';
  }
  const wrong = [...digits].flatMap((digit, index) => (digit === others[index] ? [] : [index]));
  const [first = 0, second] = wrong;
  const isSwap =
    wrong.length === 2 && second === first + 1 && digits[first] === others[second] && digits[second] === others[first];
  return isSwap ? 'transposed' : wrong.length === 1 ? 'near' : 'different';
}

/**
 * @param date - A FHIR date.
 * @returns The same with day and month exchanged; undefined where that is no date, or the same one.
 */
export function exchanged(date: string): string | undefined {
  const [, year, month, day] = FULL.exec(date) ?? [];
  return year && month && day && month !== day && Number(day) <= 12 ? `${year}-${day}-${month}` : undefined;
}
