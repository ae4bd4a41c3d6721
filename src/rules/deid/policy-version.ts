/** The name of the policy under which a copy was made; it opens every digest. */
import type { DeidContext, Stubs } from './pass.ts';
import { STUB_TABLES, TABLES_HASH } from './tables.generated.ts';

export type Policy = Pick<DeidContext, 'profile' | 'narrow'> & {
  readonly stubs?: Pick<Stubs, 'types'> | undefined;
};

/**
 * Raised by hand when code changes what leaves without changing a table; the golden files then change as well. A change of the name
 * makes every digest differ, so that reconciliation renews every copy.
 */
const REVISION = 1;

/**
 * The policy's name: revision, profile, tables, what it was narrowed by, and which references stay.
 *
 * @param policy - The named profile, its narrowing, and its stubs.
 * @returns For example `p1p6d270523`, or `p1p6d270523n1f0c83ab` when it is narrowed.
 */
export function policyVersion({ profile, narrow = [], stubs }: Policy): string {
  const left = narrow.length > 0 ? `n${hashOf(narrow)}` : '';
  const kept = stubs ? `s${hashOf([...stubs.types, JSON.stringify(STUB_TABLES)])}` : '';
  return `p${String(REVISION)}${profile.charAt(0)}${TABLES_HASH}${left}${kept}`;
}

/** FNV-1a, 32 bits: no secret and no adversary, a name that differs when the list does. */
function hashOf(list: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const char of [...list].sort().join(' ')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
