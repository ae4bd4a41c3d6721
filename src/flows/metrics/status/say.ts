/** Numbers as people read them. Pure. */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/**
 * @param value - A number.
 * @returns It with spaces between thousands, and one decimal where it is small and not whole.
 */
export function numberText(value: number): string {
  const rounded = Math.abs(value) < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value));
  return rounded.replaceAll(/\B(?=(\d{3})+$)/g, '\u202f');
}

/**
 * @param seconds - A duration.
 * @returns Such as `0.4 s`, `12 s`.
 */
export function timeText(seconds: number): string {
  return seconds < MINUTE ? `${numberText(seconds)} s` : ageText(seconds);
}

/**
 * @param seconds - A duration.
 * @returns Such as `4 min`, `3 h`, `2 days`.
 */
export function ageText(seconds: number): string {
  if (seconds < 2 * MINUTE) {
    return `${numberText(Math.round(seconds))} s`;
  }
  if (seconds < 2 * HOUR) {
    return `${numberText(Math.round(seconds / MINUTE))} min`;
  }
  return seconds < 2 * DAY
    ? `${numberText(Math.round(seconds / HOUR))} h`
    : `${numberText(Math.round(seconds / DAY))} days`;
}
