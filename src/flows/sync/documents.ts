/** Documentation follows its Encounter: where the setting says so, it has a copy only while the Encounter is finished. Pure. */
import { documentedIdsOf, patientIdOf } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { keyOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';
import type { Rules } from './plan.ts';

/**
 * @param facts - The state of the patient's record.
 * @param record - A record of the patient.
 * @param rules - Settings, and which Encounters are finished where the facts do not hold them.
 * @returns Whether it documents an Encounter that is not finished. One that is gone, another patient's or cannot be found is not.
 */
export function isHeldBack(
  { records, patientId }: Pick<Facts, 'records' | 'patientId'>,
  record: Replicated,
  { config, finished }: Pick<Rules, 'config' | 'finished'>
): boolean {
  return (
    config.heldDocuments.includes(record.resourceType) &&
    documentedIdsOf(record).some(
      (id) => !(finished?.get(id) ?? isFinishedFor(patientId, records.get(`Encounter/${id}`)))
    )
  );
}

/**
 * @param patientId - A patient.
 * @param encounter - An Encounter, if it is there.
 * @returns Whether it is theirs, and finished.
 */
export function isFinishedFor(patientId: string, encounter: Replicated | undefined): boolean {
  return (
    encounter?.resourceType === 'Encounter' && encounter.status === 'finished' && patientIdOf(encounter) === patientId
  );
}

/**
 * Whether an Encounter has become finished, or is no longer. Then its documentation has to be looked at.
 *
 * @param facts - Facts with history.
 * @param hint - The record.
 * @returns True when an earlier version says otherwise than the present one.
 */
export function hasFinished({ patientId, records, earlier }: Facts, hint: Hint): boolean {
  const now = isFinishedFor(patientId, records.get(keyOf(hint)));
  return hint.resourceType === 'Encounter' && earlier.some((version) => isFinishedFor(patientId, version) !== now);
}
