/** A research export as its requester sees it. Counts of patients are told only when they are none, or k at least. Pure. */
import type { Systems } from '../../fhir/systems.ts';
import { told } from '../../rules/research/anonymity.ts';
import { textOf } from './cohort.ts';
import type { Study } from './state.ts';

/** What goes for all of them. */
interface Setting {
  /** Where the bot is called. */
  readonly endpoint: string;
  readonly systems: Systems;
  readonly filesMs: number;
}

/**
 * @param study - A complete export.
 * @param setting - Where its files are, and how long.
 * @returns The manifest (Bulk Data Access 2.0, "Response - Complete Status"), with the measure of k-anonymity in its extension.
 */
export function manifestOf(study: Study, { endpoint, systems, filesMs }: Setting): object {
  const { id, k, counts, parts, startedAt, completedAt = 0 } = study;
  const url = (file: number): string =>
    `${endpoint}?identifier=${encodeURIComponent(`${systems.bot}|research-export`)}&action=file&id=${id}&file=${file}`;
  return {
    transactionTime: instant(startedAt),
    request: textOf(study.cohort),
    requiresAccessToken: true,
    output: parts.map(({ type, count }, index) => ({ type, url: url(index), count })),
    error: [],
    extension: {
      id,
      expires: instant(completedAt + filesMs),
      kAnonymity: {
        k,
        quasiIdentifiers: ['Patient.gender', 'Patient.birthDate', 'Patient.deceasedBoolean', 'Patient.address'],
        patients: counts.released,
        smallestGroup: counts.smallest,
        suppressed: told(counts.withheld, k),
        withoutConsent: told(counts.found - counts.consenting, k),
      },
    },
  };
}

/**
 * @param study - An export that is not complete.
 * @returns How far it is, without a count of patients.
 */
export function progressOf({ id, phase, reason }: Study): object {
  const isGoing = !['done', 'failed', 'cancelled', 'expired'].includes(phase);
  return { id, status: isGoing ? 'in-progress' : phase, phase, ...(reason && { reason }) };
}

/**
 * @param study - Any export.
 * @param filesMs - How long files can be had.
 * @returns Its row in the list.
 */
export function listedOf(study: Study, filesMs: number): object {
  const { requester, role, k, startedAt, completedAt, parts } = study;
  return {
    ...progressOf(study),
    requester,
    role,
    request: textOf(study.cohort),
    k,
    started: instant(startedAt),
    ...(completedAt !== undefined &&
      study.phase === 'done' && { expires: instant(completedAt + filesMs), files: parts.length }),
  };
}

const instant = (at: number): string => new Date(at).toISOString();
