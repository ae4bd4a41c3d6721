/**
 * Every day-precise date of a copy must be a date of the same element of the source, shifted. A date that slipped through unshifted is then
 * found even though it looks like any other; and a shifted date that happens to equal the birth date is not mistaken for it.
 */
import type { PatientKeys } from '../keys.ts';
import type { Fields, Hit, Scope } from './scope.ts';

const DAY = 86_400_000;

/**
 * Checks a date or an instant.
 *
 * @param name - Its element.
 * @param text - A date with a month at least.
 * @param scope - The source; what a date was found to have become is remembered.
 * @returns What was found.
 */
export function checkDate(name: string, text: string, scope: Scope): Hit | undefined {
  if (scope.profile === 'safe-harbor') return 'residue-date';
  if (text.length === 7) return undefined;
  const { shifted } = scope.facts;
  const isOwn = isAnyOrigin(name, scope, (origin) => {
    if (shifted.get(origin) === text) return true;
    if (!isShifted(origin, text, scope.keys)) return false;
    shifted.set(origin, text);
    return true;
  });
  return isOwn ? undefined : 'residue-date';
}

/**
 * Checks a year: one of the same element, or one to which it can have been shifted.
 *
 * @param name - Its element.
 * @param text - Four digits.
 * @param scope - The source and the profile.
 * @returns What was found.
 */
export function checkYear(name: string, text: string, scope: Scope): Hit | undefined {
  const most = scope.profile === 'safe-harbor' ? 0 : 2;
  const isOwn = isAnyOrigin(name, scope, (origin) => {
    const gap = Number(text) - Number(origin.slice(0, 4));
    return gap >= 0 && gap <= most;
  });
  return isOwn ? undefined : 'residue-date';
}

function isAnyOrigin(name: string, { source, path }: Scope, test: (origin: string) => boolean): boolean {
  path.push(name);
  const isFound = isAnyAt(source, path, 0, test);
  path.pop();
  return isFound;
}

function isShifted(origin: string, text: string, { shiftDays, shiftMs }: PatientKeys): boolean {
  const time = Date.parse(text);
  if (text.length === 10) return Date.parse(origin.slice(0, 10)) + shiftDays * DAY === time;
  const shifted = Date.parse(origin) + shiftMs;
  return origin.length > 10 && (shifted === time || shifted - (((shifted % 1000) + 1000) % 1000) === time);
}

/** Whether a string of the source at a path, in whatever item of the lists on the way, passes a test. Lists in lists are no FHIR. */
function isAnyAt(node: unknown, path: readonly string[], at: number, test: (origin: string) => boolean): boolean {
  if (Array.isArray(node)) return node.some((each) => !Array.isArray(each) && isAnyAt(each, path, at, test));
  if (at === path.length) return typeof node === 'string' && test(node);
  if (typeof node !== 'object' || node === null) return false;
  return isAnyAt((node as Fields)[path[at] as string], path, at + 1, test);
}
