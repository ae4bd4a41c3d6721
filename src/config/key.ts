/** Whether a project secret may stand behind pseudonyms: a weak one makes every pseudonym guessable, and cannot be taken back. */

/** Why a secret is refused. A closed list; says nothing of the secret itself. */
export type KeyProblem = 'missing' | 'short' | 'placeholder' | 'weak';

const MIN_LENGTH = 32;
const MIN_BITS = 100;

const PLACEHOLDER =
  /change.?me|placeholder|example|secret|password|passw0rd|insecure|replace.?me|your.?key|your.?own|default|development|dummy|sample|todo|<.*>|\$\{|abcdefgh|01234567|12345678/i;

/**
 * Judges a project secret. Used where settings are checked and again where keys are made.
 *
 * @param secret - As it stands in the setting.
 * @returns The problem, or undefined when the secret will do.
 */
export function checkKey(secret: unknown): KeyProblem | undefined {
  if (typeof secret !== 'string' || secret.trim() === '') return 'missing';
  if (secret.length < MIN_LENGTH) return 'short';
  if (PLACEHOLDER.test(secret)) return 'placeholder';
  return repeats(secret) || estimatedBits(secret) < MIN_BITS ? 'weak' : undefined;
}

/** Whether the secret is one short piece said again and again. */
function repeats(secret: string): boolean {
  return (secret + secret).indexOf(secret, 1) < secret.length;
}

/** Shannon entropy of the characters times the length: a floor for accidents, not a measure of strength. */
function estimatedBits(secret: string): number {
  const counts = new Map<string, number>();
  for (const char of secret) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / secret.length);
  return bits;
}
