/** The name of the policy under which a copy was made; it opens every digest. */
import type { DeidContext } from './pass.ts';
import { TABLES_HASH } from './tables.generated.ts';

/**
 * Raised by hand when code changes what leaves without changing a table; the golden files then change as well. A change of the name
 * makes every digest differ, so that reconciliation renews every copy.
 */
const REVISION = 1;

/**
 * The policy's name: revision, profile and tables.
 *
 * @param profile - The named profile.
 * @returns For example `p1s6d270523`.
 */
export function policyVersion(profile: DeidContext['profile']): string {
  return `p${String(REVISION)}${profile.charAt(0)}${TABLES_HASH}`;
}
