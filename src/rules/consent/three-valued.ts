/** Three-valued logic: a permit needs `true`; a deny already applies on "unknown", written `undefined`. */

/** `undefined` is "unknown": the data, the request or the Consent does not say. */
export type Truth = boolean | undefined;

/** Whether a condition is read for a rule that permits (narrowly) or for one that denies (widely). */
export type Kind = 'permit' | 'deny';

/**
 * OR over three values.
 *
 * @param values - The alternatives; none is false.
 * @returns True if one is true, else unknown if one is unknown, else false.
 */
export function some(values: readonly Truth[]): Truth {
  return values.includes(true) ? true : values.includes(undefined) ? undefined : false;
}

/**
 * AND over three values.
 *
 * @param values - The requirements; none is true.
 * @returns False if one is false, else unknown if one is unknown, else true.
 */
export function every(values: readonly Truth[]): Truth {
  return values.includes(false) ? false : values.includes(undefined) ? undefined : true;
}
