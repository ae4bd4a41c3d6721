/** The patients of a page with all that a plan needs: Consents, keys and their copies, each asked for once. */
import type { Basic, Consent, Patient } from '@medplum/fhirtypes';
import type { Replicated } from '../../../config/policy.ts';
import { listsOf } from '../../../fhir/lists.ts';
import type { Copy } from '../../../ports.ts';
import type { PatientKeys } from '../../../rules/deid/keys.ts';
import type { Deps } from '../../deps.ts';
import { keyringOf } from '../../keyring.ts';
import { isLink, linkIn, liveTokens } from '../../link.ts';
import type { SavedLink } from '../../link.ts';
import { originalIn } from '../../payload.ts';
import { readAll } from '../../read-all.io.ts';
import { controlsSearches } from '../controls.ts';
import { patientOfConsent } from '../sweep.io.ts';
import type { Facts, Hint } from '../facts.ts';
import { keyOf } from '../facts.ts';
import { targetOf } from '../plan.ts';
import type { Rules } from '../plan.ts';
import { rulesOf } from '../rules.ts';
import { searchesOf } from '../search.ts';

/** A patient and what plans are made by. */
export interface Person {
  readonly patientId: string;
  readonly patient: Patient;
  readonly consents: readonly Consent[];
  readonly link: SavedLink | undefined;
  /** Whether anything of the patient may be on the replica. */
  readonly isLinked: boolean;
  /** What is known of the encrypted original of the Patient. */
  readonly originals: readonly Basic[];
  readonly keys: PatientKeys;
  /** Whether copies may still be under former keys. */
  readonly isRekeyed: boolean;
  /** Whether nobody has looked at them since the keys have changed. */
  readonly isToBeRekeyed: boolean;
  readonly rules: Rules;
  /** On the replica; more than one when there is a duplicate. */
  readonly copies: readonly Copy[];
}

/**
 * @param deps - The run.
 * @param patients - At most a page of Patients.
 * @returns One person per Patient: one request to each side for all of them, as long as few have many Consents.
 * @throws Fault when either server cannot be read: an unread Consent is never an absent one.
 */
export async function peopleOf(deps: Deps, patients: readonly Patient[]): Promise<Person[]> {
  if (patients.length === 0) {
    return [];
  }
  const { config, source, replica } = deps;
  const { systems } = config;
  const ids = patients.map(({ id = '' }) => id);
  const names = ids.map((id) => `Patient/${id}`);
  const lists = await readAll(source, [
    ...listsOf(names).map((list) => `Consent?patient=${list}&_sort=_lastUpdated&_count=1000`),
    ...controlsSearches(systems, ids),
  ]);
  const found = lists.flat();
  const consents = Map.groupBy(
    found.filter((one): one is Consent => one.resourceType === 'Consent'),
    patientOfConsent
  );
  const controls = found.filter((one): one is Basic => one.resourceType === 'Basic');
  const links = new Map(
    controls
      .filter(isLink)
      .flatMap((one) => linkIn(systems, [one]) ?? [])
      .map((link) => [link.patientId, link])
  );
  const originals = Map.groupBy(
    controls.filter((one) => !isLink(one)),
    (one) => originalIn(systems, one)?.record
  );
  const all = patients.map((patient) => {
    const link = links.get(patient.id ?? '');
    return { patient, link, keyring: keyringOf(config, patient.id ?? '', link, deps.mint) };
  });
  const targets = all.flatMap(({ patient: { id = '' }, keyring }) =>
    // Keys that no copy was ever made under need no look at what is there.
    keyring.isProvisional ? [] : [targetOf({ resourceType: 'Patient', id }, { config, keys: keyring.keys })]
  );
  const copies = await replica.find(searchesOf(targets));
  const byToken = Map.groupBy(copies, ({ token }) => token);
  return all.map(({ patient, link, keyring: { keys, formerTokens } }) => ({
    patientId: patient.id ?? '',
    patient,
    consents: consents.get(patient.id) ?? [],
    link,
    isLinked: liveTokens(link).length > 0,
    originals: originals.get(`Patient/${patient.id}`) ?? [],
    keys,
    isRekeyed: formerTokens.length > 0,
    isToBeRekeyed: link?.tokens.some(({ value, use }) => use === undefined && formerTokens.includes(value)) ?? false,
    rules: { ...rulesOf(deps, keys), finished: new Map() },
    copies: byToken.get(keys.patientToken) ?? [],
  }));
}

/**
 * @param person - A patient.
 * @param hint - A record.
 * @param record - The same, as it was read.
 * @returns The facts from which its plan is made; what Encounters decide is in the person's rules.
 */
export function factsOf(
  { patientId, patient, consents, link, isLinked }: Person,
  hint: Hint,
  record: Replicated
): Facts {
  const records = new Map<string, Replicated>([
    [`Patient/${patientId}`, patient],
    [keyOf(hint), record],
  ]);
  return { patientId, patient, consents, link, isLinked, hints: [hint], records, earlier: [] };
}
