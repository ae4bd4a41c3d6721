/** The name of the policy under which a copy was made; it opens every digest. */
import type { DeidContext } from './pass.ts';
import { TABLES_HASH } from './tables.generated.ts';

export type Policy = Pick<DeidContext, 'profile' | 'narrow'>;

/**
 * Raised by hand when code changes what leaves without changing a table; the golden files then change as well. A change of the name
 * makes every digest differ, so that reconciliation renews every copy.
 */
const REVISION = 1;

/**
 * The policy's name: revision, profile, tables, and what it was narrowed by.
 *
 * @param policy - The named profile and its narrowing.
 * @returns For example `p1p6d270523`, or `p1p6d270523n1f0c83ab` when it is narrowed.
 */
export function policyVersion({ profile, narrow = [] }: Policy): string {
  return `p${String(REVISION)}${profile.charAt(0)}${TABLES_HASH}${narrow.length > 0 ? `n${hashOf(narrow)}` : ''}`;
}

/** FNV-1a, 32 bits: no secret and no adversary, a name that differs when the list does. */
function hashOf(narrow: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const char of [...narrow].sort().join(' ')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
