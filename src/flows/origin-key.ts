/** The name under which a record of another organization is known here. Pure. */
import { createHash } from 'node:crypto';

/**
 * @param organizationId - Of the sender: two senders never mean the same record.
 * @param type - The type.
 * @param name - Its name with the sender: `id:…`, `identifier:system|value` or `content:…`.
 * @returns The value of our identifier: a hash, since an id may be anything.
 */
export function keyOf(organizationId: string, type: string, name: string): string {
  return createHash('sha256').update(`${organizationId}\n${type}\n${name}`).digest('hex');
}
