/** The control resources that a sync looks at: the patient's link, what is known of originals, and the switch of the queue. Pure. */
import { keepsOriginal } from '../../config/policy.ts';
import { listsOf } from '../../fhir/lists.ts';
import type { Systems } from '../../fhir/systems.ts';
import { controlTerm } from '../../queue/control.ts';
import { linkTerm } from '../link.ts';
import { recordTerm } from '../payload.ts';
import { keyOf } from './facts.ts';
import type { Hint } from './facts.ts';

/**
 * One search by names that no key is needed for: which keys are the patient's is only known from the link.
 *
 * @param systems - Our systems.
 * @param patientId - The source Patient.
 * @param hints - Records, whose encrypted originals are asked for in the same search.
 * @returns A FHIR-relative search.
 */
export function controlSearch(systems: Systems, patientId: string, hints: readonly Hint[]): string {
  const kept = hints.filter(({ resourceType }) => keepsOriginal(resourceType));
  const terms = [
    linkTerm(systems, patientId),
    controlTerm(systems),
    ...kept.map((hint) => recordTerm(systems, keyOf(hint))),
  ];
  return `Basic?identifier=${terms.map(encodeURIComponent).join(',')}&_count=${terms.length}`;
}

/**
 * What is known of the originals of many records.
 *
 * @param systems - Our systems.
 * @param records - `Type/id` of records whose originals are kept.
 * @returns FHIR-relative searches.
 */
export function originalsSearches(systems: Systems, records: readonly string[]): string[] {
  const lists = listsOf(records.map((record) => encodeURIComponent(recordTerm(systems, record))));
  return lists.map((list) => `Basic?identifier=${list}&_count=1000`);
}

/**
 * The same for many patients at once: their links, and what is known of the originals of their Patients.
 *
 * @param systems - Our systems.
 * @param patientIds - Source Patients.
 * @returns FHIR-relative searches.
 */
export function controlsSearches(systems: Systems, patientIds: readonly string[]): string[] {
  const own = patientIds.map((id) => linkTerm(systems, id));
  const kept = keepsOriginal('Patient') ? patientIds.map((id) => recordTerm(systems, `Patient/${id}`)) : [];
  const lists = listsOf([...own, ...kept].map(encodeURIComponent));
  return lists.map((list) => `Basic?identifier=${list}&_count=1000`);
}
