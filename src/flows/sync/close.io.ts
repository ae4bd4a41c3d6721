/** When nothing of a patient can be under former keys any more, the link says so; when nothing of the patient is left, the crosswalk goes. */
import type { Deps } from '../deps.ts';
import { demoted } from '../keyring.ts';
import type { Keyring } from '../keyring.ts';
import { linkBasic } from '../link.ts';
import type { LinkToken, PatientLink, SavedLink } from '../link.ts';
import { SECOND_LOOK_MS } from './timer.ts';

/** What a look at everything of a patient came to. */
export interface Outcome {
  readonly isPatientThere: boolean;
  /** Whether nothing of the patient may be on the replica now. */
  readonly isLeaving: boolean;
  readonly hasErased: boolean;
  /** Whether this is a second look: a run that was under way at the first one has ended by now. */
  readonly isSecondLook: boolean;
}

/**
 * What the link is to say after a look. Former tokens become `secondary` at one look and `old` at a later one that has removed nothing, since
 * a run that began with the former keys may still have written in between. The same goes for the secret of a patient who has left.
 *
 * @param link - The link.
 * @param keyring - The keys of the look.
 * @param outcome - What it came to.
 * @param now - Milliseconds since the epoch.
 * @returns What the link is to say, if that changes, and whether a second look is needed.
 */
export function closing(
  link: SavedLink,
  keyring: Keyring,
  outcome: Outcome,
  now: number
): { readonly wanted?: PatientLink; readonly needsSecondLook: boolean } {
  const { patientId, tokens, secret } = link;
  const isFormer = ({ value, use }: LinkToken): boolean => keyring.formerTokens.includes(value) && use !== 'old';
  const former = tokens.filter(isFormer);
  const say = (some: readonly LinkToken[], kept: string | undefined): PatientLink => ({
    patientId,
    tokens: some,
    ...(kept && { secret: kept }),
  });
  const old = ({ value }: LinkToken): LinkToken => ({ value, use: 'old' });
  if (former.some(({ use }) => use === undefined)) {
    const wanted = say(
      tokens.flatMap((token) => (isFormer(token) ? demoted([token]) : [token])),
      secret
    );
    return { wanted, needsSecondLook: true };
  }
  if (former.length > 0) {
    const isFresh = outcome.hasErased || now - Date.parse(link.lastUpdated) < SECOND_LOOK_MS;
    // Where the present profile needs no secret, it was that of the former tokens.
    const kept = keyring.secret === undefined ? undefined : secret;
    const wanted = say(
      tokens.map((token) => (isFormer(token) ? old(token) : token)),
      kept
    );
    return isFresh ? { needsSecondLook: true } : { wanted, needsSecondLook: false };
  }
  const isForgotten = secret !== undefined && outcome.isLeaving && outcome.isSecondLook && !outcome.hasErased;
  return {
    ...(isForgotten && { wanted: say(tokens.map(old), undefined) }),
    needsSecondLook: false,
  };
}

/**
 * Writes what the link is to say after a look.
 *
 * @param deps - The run.
 * @param link - The link as it is after the look.
 * @param keyring - The keys of the look.
 * @param outcome - What it came to.
 * @returns Whether a second look is needed.
 * @throws Fault `source-*` when the link cannot be written.
 */
export async function close(
  { source, config, clock }: Deps,
  link: SavedLink | undefined,
  keyring: Keyring,
  outcome: Outcome
): Promise<boolean> {
  if (!link) {
    return false;
  }
  const { wanted, needsSecondLook } = closing(link, keyring, outcome, clock.now());
  if (!wanted) {
    return needsSecondLook;
  }
  const basic = linkBasic(config.systems, wanted, outcome.isPatientThere);
  const isWritten = await source.replace({ ...basic, id: link.id }, link.versionId);
  return needsSecondLook || !isWritten;
}
