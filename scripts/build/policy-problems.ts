/** What is wrong with the de-identification policy of `bots.config.json`: said at build, so that no bundle is made from it. */
import { KEEP_LISTS, STUBS } from '../../src/rules/deid/keep-list.ts';
import { elementsOf } from './deid-tables.ts';

export const PROFILES = ['pseudonymised', 'safe-harbor'];

/** `policy` of the manifest. */
export interface Policy {
  readonly profile: string;
  readonly narrow?: readonly string[];
  readonly types: Readonly<Record<string, { readonly replicate: boolean; readonly stub?: boolean }>>;
}

/** What a copy is not a copy without. */
const FIXED = ['identifier', 'subject', 'patient', 'Patient.name'];

/**
 * Judges profile and narrowing. A profile can be narrowed and not widened: an element that does not leave cannot be named, and
 * there is no word for adding one.
 *
 * @param policy - `policy` of the manifest.
 * @returns A sentence per problem; none when all is well.
 */
export function policyProblems(policy: Omit<Policy, 'types'> & Partial<Policy>): string[] {
  const { profile, narrow = [], types = {} } = policy;
  const stubs = Object.keys(types).filter((type) => types[type]?.stub);
  return [
    ...(PROFILES.includes(profile) ? [] : [`policy.profile is "${profile}"; there are ${PROFILES.join(' and ')}`]),
    ...stubs.filter((type) => !STUBS.includes(type)).map((type) => `policy.types: there are no stubs of ${type}`),
    // Their tokens would be derived from a key that all of them share, which 45 CFR 164.514(c) has no room for.
    ...(profile === 'safe-harbor' && stubs.length > 0
      ? [`policy.types: no stubs (${stubs.join()}) in safe-harbor`]
      : []),
    ...narrow.flatMap((path) => problemOf(path) ?? []),
  ];
}

function problemOf(path: string): string | undefined {
  const dot = path.indexOf('.');
  const type = path.slice(0, Math.max(0, dot));
  const below = path.slice(dot + 1);
  const how = Object.hasOwn(KEEP_LISTS, type) ? KEEP_LISTS[type]?.[below] : undefined;
  if (how === undefined) return `policy.narrow: ${path} is no element of a type that is de-identified`;
  if (how === 'drop') return `policy.narrow: ${path} does not leave anyway`;
  const element = elementsOf(type).find((each) => each.path === below);
  const isFixed = FIXED.includes(below) || FIXED.includes(path);
  return isFixed || element?.required === true || element?.isNeeded === true
    ? `policy.narrow: ${path} is required in a copy`
    : undefined;
}
