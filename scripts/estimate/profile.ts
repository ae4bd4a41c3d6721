/** Reads a volume profile: a file, flags, and for the rest what an ordinary clinic has. */
import { TYPE_NAMES } from '../../src/config/policy.ts';
import { DEFAULT_PROFILE } from './model.ts';
import type { Profile } from './model.ts';

/** Fields that are a share. */
const SHARES = ['consenting', 'created', 'deleted', 'queued'];
/** A name that stands for others: `changes.Observation`. */
type Tree = { readonly [name: string]: number | Tree };

/**
 * Lays what is given over the defaults.
 *
 * @param given - From a file: any of the fields of a profile.
 * @param flags - `name=value`, such as `patients=500` or `changes.Observation=9000`; they count more.
 * @returns The profile, or what is wrong with it.
 */
export function readProfile(
  given: unknown,
  flags: readonly string[]
): { readonly profile: Profile } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const values = new Map(leavesOf(DEFAULT_PROFILE as unknown as Tree));
  const laid = given as Tree | undefined;
  if (laid?.['changes'] !== undefined) {
    // A profile that names types means these and no others.
    [...values.keys()].filter((name) => name.startsWith('changes.')).forEach((name) => values.delete(name));
  }
  const set = (name: string, value: unknown): void => {
    const isType = name.startsWith('changes.') && TYPE_NAMES.includes(name.slice('changes.'.length));
    if (!isType && !KNOWN.has(name)) {
      problems.push(
        `${name} is not known; there are ${[...KNOWN].join(', ')} and changes.<type> of ${TYPE_NAMES.join(', ')}`
      );
    } else if (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value)) {
      problems.push(`${name} must be a number from 0`);
    } else if (SHARES.includes(name) && value > 1) {
      problems.push(`${name} is a share: from 0 to 1`);
    } else {
      values.set(name, value);
    }
  };
  if (laid !== undefined && (typeof laid !== 'object' || laid === null || Array.isArray(laid))) {
    return { problems: ['a profile is an object'] };
  }
  leavesOf(laid ?? {}).forEach(([name, value]) => set(name, value));
  for (const flag of flags) {
    const [name = '', value = ''] = flag.split('=');
    set(name, value.trim() === '' ? undefined : Number(value));
  }
  if ((values.get('created') ?? 0) + (values.get('deleted') ?? 0) > 1) {
    problems.push('created and deleted are shares of the same changes: together at most 1');
  }
  if (values.get('scrapeSeconds') === 0) {
    problems.push('scrapeSeconds must be above 0');
  }
  return problems.length > 0 ? { problems } : { profile: treeOf(values) as unknown as Profile };
}

const KNOWN = new Set(
  leavesOf(DEFAULT_PROFILE as unknown as Tree).flatMap(([name]) => (name.startsWith('changes.') ? [] : [name]))
);

function leavesOf(tree: Tree, prefix = ''): [string, number][] {
  return Object.entries(tree).flatMap(([name, value]): [string, number][] =>
    typeof value === 'object' && value !== null ? leavesOf(value, `${prefix}${name}.`) : [[`${prefix}${name}`, value]]
  );
}

function treeOf(values: ReadonlyMap<string, number>): object {
  const tree: Record<string, unknown> = { changes: {} };
  for (const [name, value] of values) {
    const [top = '', below] = name.split('.');
    tree[top] = below === undefined ? value : { ...(tree[top] as object | undefined), [below]: value };
  }
  return tree;
}
