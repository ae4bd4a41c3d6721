/** What a LOINC code looks like. */

/** The code system. */
export const LOINC = 'http://loinc.org';

/**
 * @param code - A code.
 * @returns Whether it may be a term, an answer (LA) or a part (LP) of LOINC: all end in a check digit (Users' Guide, appendix D).
 */
export function isLoinc(code: string): boolean {
  return /^(?:L[AP])?\d{1,6}-\d$/.test(code) && isMod10(code);
}

/** Luhn, over the digits of the code. */
function isMod10(code: string): boolean {
  let sum = 0;
  let double = false;
  for (let i = code.length - 1; i >= 0; i -= 1) {
    const digit = code.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) continue;
    sum += double ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
    double = !double;
  }
  return sum % 10 === 0;
}
