/** Under which keys a patient's copies are made now, and under which they were: by profile, settings and the patient's link. Pure. */
import type { Config } from '../config/load.ts';
import type { Stubs } from '../rules/deid/deidentify.ts';
import { crosswalkKeys, patientKeys, stubKeys } from '../rules/deid/keys.ts';
import type { PatientKeys } from '../rules/deid/keys.ts';
import { liveTokens } from './link.ts';
import type { LinkToken, PatientLink } from './link.ts';

/** The keys of one patient. */
export interface Keyring {
  readonly keys: PatientKeys;
  /** The crosswalk behind them, in profile `safe-harbor`. */
  readonly secret?: string;
  /** Whether the keys are in no link: then no copy was ever made under them, and nobody else knows them. */
  readonly isProvisional: boolean;
  /** Other tokens of the patient under which copies may still be. */
  readonly formerTokens: readonly string[];
  /** The keys behind the last of those, as far as they are known. */
  readonly former: PatientKeys | undefined;
}

/**
 * Chooses the keys.
 *
 * - `pseudonymised`: derived from PSEUDONYM_KEY; the former ones from PSEUDONYM_KEY_PREVIOUS, while the link says that copies may be under them.
 * - `safe-harbor`: made of the random secret in the patient's link. Without one, of a fresh secret that counts once it is in the link.
 *
 * After a change of profile the former keys are those of the other one.
 *
 * @param config - The settings.
 * @param patientId - The source Patient.
 * @param link - The patient's link, if there is one.
 * @param mint - Makes 32 random bytes as hex.
 * @returns The keys.
 */
export function keyringOf(
  config: Pick<Config, 'profile' | 'key' | 'previousKey'>,
  patientId: string,
  link: PatientLink | undefined,
  mint: () => string
): Keyring {
  const isRandom = config.profile === 'safe-harbor';
  const secret = isRandom ? (link?.secret ?? mint()) : undefined;
  const keys = secret === undefined ? patientKeys(config.key, patientId) : crosswalkKeys(secret, patientId);
  const formerTokens = liveTokens(link).filter((token) => token !== keys.patientToken);
  return {
    keys,
    ...(secret !== undefined && { secret }),
    isProvisional: isRandom && link?.secret === undefined,
    formerTokens,
    former: formerTokens.length === 0 ? undefined : formerKeys(config, patientId, link, formerTokens),
  };
}

/**
 * @param config - The settings.
 * @returns Which types have stubs, and under which keys; undefined when none has.
 */
export function stubsOf({ stubTypes, key }: Pick<Config, 'stubTypes' | 'key'>): Stubs | undefined {
  return stubTypes.length > 0 ? { types: new Set(stubTypes), keys: stubKeys(key) } : undefined;
}

function formerKeys(
  { profile, key, previousKey }: Pick<Config, 'profile' | 'key' | 'previousKey'>,
  patientId: string,
  link: PatientLink | undefined,
  tokens: readonly string[]
): PatientKeys | undefined {
  const candidates = [
    ...(previousKey ? [patientKeys(previousKey, patientId)] : []),
    ...(profile === 'safe-harbor' ? [patientKeys(key, patientId)] : []),
    ...(profile === 'pseudonymised' && link?.secret ? [crosswalkKeys(link.secret, patientId)] : []),
  ];
  return candidates.find(({ patientToken }) => tokens.includes(patientToken));
}

/**
 * @param link - The patient's link, if there is one.
 * @param keyring - The patient's keys.
 * @returns Whether the link says that copies are made under these keys: only then may any be.
 */
export function isEstablished(link: PatientLink | undefined, { keys, secret }: Keyring): boolean {
  const isCurrent = link?.tokens.some(({ value, use }) => value === keys.patientToken && use === undefined) ?? false;
  return isCurrent && (secret === undefined || link?.secret === secret);
}

/**
 * @param link - The patient's link, if there is one.
 * @param keyring - The keys under which copies are to be made.
 * @returns The tokens that the link has to tell.
 */
export function establishedTokens(link: PatientLink | undefined, { keys }: Keyring): LinkToken[] {
  const others = link?.tokens.filter(({ value }) => value !== keys.patientToken) ?? [];
  return [{ value: keys.patientToken }, ...demoted(others)];
}

/**
 * @param tokens - Tokens under which no copy is made any more.
 * @returns The same, marked as former ones.
 */
export function demoted(tokens: readonly LinkToken[]): LinkToken[] {
  return tokens.map(({ value, use }) => ({ value, use: use ?? 'secondary' }));
}
