/** The names of one export. Pure. */
import { macOf } from '../../rules/deid/hmac.ts';
import { spell } from '../../rules/deid/tokens.ts';
import type { Rename } from '../../rules/research/study.ts';

/**
 * Two exports cannot be joined by their names, nor can one with the replica: each has a secret of its own.
 *
 * @param secret - 64 hexadecimal digits, random.
 * @returns The names of that export.
 */
export function renameBy(secret: string): Rename {
  const mac = macOf(secret);
  return (name) => spell(mac(name));
}
