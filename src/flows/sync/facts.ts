/** What a sync decides on: the state of one patient's record in the source, at one moment. */
import type { Basic, Consent, Patient } from '@medplum/fhirtypes';
import { documentedIdsOf, encounterIdOf, patientIdOf } from '../../config/policy.ts';
import type { Replicated, ReplicatedType } from '../../config/policy.ts';
import type { SavedLink } from '../link.ts';

/** A record that may have changed. Only a hint: what counts is what the source holds now. */
export interface Hint {
  readonly resourceType: ReplicatedType;
  readonly id: string;
  /** The Encounter that the record is part of, as far as known. */
  readonly encounterId?: string;
  /** The Encounters that it documents, as far as known; an empty id for one that cannot be found. */
  readonly documents?: readonly string[];
}

/** The state of some records of one patient. */
export interface Facts {
  readonly patientId: string;
  readonly patient: Patient | undefined;
  readonly consents: readonly Consent[];
  /** The patient's link, if there is one. */
  readonly link?: SavedLink | undefined;
  /** Whether anything of this patient may be on the replica: then, and only then, is there something to take back. */
  readonly isLinked: boolean;
  readonly hints: readonly Hint[];
  /** By `Type/id`: the hinted records, the Patient, and the Encounters they are part of. Absent means deleted. */
  readonly records: ReadonlyMap<string, Replicated>;
  /** Versions before the present one, newest first, as far as they were asked for. */
  readonly earlier: readonly Replicated[];
  /** What is known of encrypted originals of the hinted records (`flows/payload.ts`). */
  readonly originals?: readonly Basic[];
  /** The switch of the queue, where it was asked for. */
  readonly control?: Basic | undefined;
}

/**
 * @param hint - A hint.
 * @returns Its key in `Facts.records`.
 */
export function keyOf(hint: Hint): string {
  return `${hint.resourceType}/${hint.id}`;
}

/**
 * @param hint - A hint.
 * @returns The Encounters, `Encounter/id`, that decide about the record.
 */
export function encountersOf({ encounterId, documents = [] }: Hint): string[] {
  const ids = new Set([...(encounterId ? [encounterId] : []), ...documents.filter(Boolean)]);
  return [...ids].map((id) => `Encounter/${id}`);
}

/**
 * The hint that a resource gives about itself.
 *
 * @param resource - A resource of a replicated type.
 * @returns Its patient, if it names one, and the hint.
 */
export function hintOf(resource: Replicated): { readonly patientId: string | undefined; readonly hint: Hint } {
  const encounterId = encounterIdOf(resource);
  const documents = documentedIdsOf(resource);
  return {
    patientId: patientIdOf(resource),
    hint: {
      resourceType: resource.resourceType,
      id: resource.id ?? '',
      ...(encounterId && { encounterId }),
      ...(documents.length > 0 && { documents }),
    },
  };
}

/**
 * The versions that a plan was made from. Equal fingerprints before and after an effect mean that the effect was made
 * from the newest state.
 *
 * @param facts - The facts.
 * @returns One text.
 */
export function fingerprintOf(facts: Facts): string {
  const version = ({ id, meta }: { id?: string; meta?: { versionId?: string } }): string => `${id}@${meta?.versionId}`;
  const read = [`Patient/${facts.patientId}`, ...facts.hints.flatMap((hint) => [keyOf(hint), ...encountersOf(hint)])];
  const versions = read.map((key) => {
    const record = facts.records.get(key);
    return record ? version(record) : `${key} gone`;
  });
  return [...new Set(versions), ...facts.consents.map(version).sort()].join(' ');
}
