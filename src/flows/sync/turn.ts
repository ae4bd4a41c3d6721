/** What a record's earlier versions say about copies that its own event does not reach. Pure. */
import type { Patient } from '@medplum/fhirtypes';
import { patientIdOf } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { keyOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';
import { plan } from './plan.ts';
import type { Rules } from './plan.ts';

/**
 * The patients under whom an earlier version was filed: a record that was moved leaves a copy behind, under their token.
 *
 * @param facts - Facts with history.
 * @returns Their ids.
 */
export function formerPatients(facts: Facts): string[] {
  const ids = facts.earlier.flatMap((version) => patientIdOf(version) ?? []);
  return [...new Set(ids)].filter((id) => id !== facts.patientId);
}

/**
 * Whether the record has a copy now and an earlier version had none, or the reverse. Then what refers to it has to be
 * looked at: a reference to a record without a copy is only a token.
 *
 * @param facts - Facts with history.
 * @param hint - The record.
 * @param rules - Settings, keys, time.
 * @returns True when it has turned.
 */
export function hasTurned(facts: Facts, hint: Hint, rules: Rules): boolean {
  const isPut = (record: Replicated | undefined): boolean => {
    const patient = hint.resourceType === 'Patient' ? (record as Patient | undefined) : facts.patient;
    const records = new Map([...facts.records, ...(record ? [[keyOf(hint), record] as const] : [])]);
    return plan({ ...facts, patient, records }, hint, { ...rules, memo: new Map() }).action === 'put';
  };
  const now = isPut(facts.records.get(keyOf(hint)));
  return facts.earlier.some((version) => isPut(version) !== now);
}
