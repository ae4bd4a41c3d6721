/** What a look-up has come to, as a Task: references and grades, for a person to decide. Pure. */
import type { Task, TaskOutput } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { Candidate } from '../../rules/match/choose.ts';

/** `waiting`: the partner could not be asked yet. `candidates`: a person decides. `withdrawn`: it may not be asked any more. */
export type Outcome = 'waiting' | 'failed' | 'none' | 'candidates' | 'linked' | 'confirmed' | 'rejected' | 'withdrawn';

const STATUS: Readonly<Record<Outcome, Task['status']>> = {
  waiting: 'draft',
  failed: 'failed',
  none: 'completed',
  candidates: 'requested',
  linked: 'completed',
  confirmed: 'completed',
  rejected: 'completed',
  withdrawn: 'cancelled',
};

const GRADE = 'http://hl7.org/fhir/StructureDefinition/match-grade';

/** A look-up of one patient. */
export interface LookUp {
  readonly patientId: string;
  readonly outcome: Outcome;
  /** The partner's FHIR endpoint, with a trailing slash. */
  readonly fhirUrl: string;
  readonly candidates: readonly Candidate[];
  /** How often the partner could not be asked. */
  readonly failures?: number;
  readonly at: string;
}

/**
 * @param systems - Our systems.
 * @param lookUp - What it has come to.
 * @param before - The Task of an earlier one, in whose place it comes.
 * @returns The Task.
 */
export function taskOf(systems: Systems, lookUp: LookUp, before: Task | undefined): Task {
  const { patientId, outcome, fhirUrl, candidates, failures = 0, at } = lookUp;
  const patient = { reference: `Patient/${patientId}` };
  return {
    resourceType: 'Task',
    ...(before?.id && { id: before.id }),
    ...(before?.meta?.versionId && { meta: { versionId: before.meta.versionId } }),
    identifier: [{ system: systems.control, value: nameOf(patientId) }],
    status: STATUS[outcome],
    businessStatus: { coding: [{ system: outcomeSystem(systems), code: outcome }] },
    intent: 'order',
    code: { coding: [{ system: systems.control, code: 'partner-match' }] },
    focus: patient,
    for: patient,
    authoredOn: before?.authoredOn ?? at,
    lastModified: at,
    ...(failures > 0 && { extension: [{ url: failuresUrl(systems), valueInteger: failures }] }),
    ...(candidates.length > 0 && { output: candidates.map((each) => outputOf(systems, fhirUrl, each)) }),
  };
}

function outputOf(systems: Systems, fhirUrl: string, { id, grade, bits }: Candidate): TaskOutput {
  return {
    type: { coding: [{ system: outcomeSystem(systems), code: 'candidate' }] },
    valueReference: { reference: `${fhirUrl}Patient/${id}`, type: 'Patient' },
    extension: [
      { url: GRADE, valueCode: grade },
      { url: `${systems.namespace}/match-bits`, valueDecimal: bits },
    ],
  };
}

/**
 * @param task - A Task of ours.
 * @returns Who may be meant, the best first.
 */
export function candidatesIn({ output = [] }: Task): Candidate[] {
  return output.flatMap(({ valueReference, extension = [] }) => {
    const id = valueReference?.reference?.split('/').at(-1);
    const grade = extension.find(({ url }) => url === GRADE)?.valueCode as Candidate['grade'] | undefined;
    const bits = extension.find(({ valueDecimal }) => valueDecimal !== undefined)?.valueDecimal ?? 0;
    return id && grade ? [{ id, grade, bits }] : [];
  });
}

/**
 * @param systems - Our systems.
 * @param task - A Task of ours.
 * @returns What it says.
 */
export function outcomeIn(systems: Systems, { businessStatus }: Task): Outcome | undefined {
  const coding = businessStatus?.coding?.find(({ system }) => system === outcomeSystem(systems));
  return coding?.code as Outcome | undefined;
}

/**
 * @param systems - Our systems.
 * @param task - A Task of ours.
 * @returns How often the partner could not be asked.
 */
export function failuresIn(systems: Systems, task: Task | undefined): number {
  return task?.extension?.find(({ url }) => url === failuresUrl(systems))?.valueInteger ?? 0;
}

/**
 * @param systems - Our systems.
 * @param patientId - A Patient of ours.
 * @param organizationId - The partner.
 * @returns FHIR-relative reads of all that a look-up of them depends on.
 */
export function readsOf(systems: Systems, patientId: string, organizationId: string): string[] {
  const link = encodeURIComponent(`${systems.control}|partner-link`);
  const name = encodeURIComponent(`${systems.control}|${nameOf(patientId)}`);
  return [
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=1000`,
    `Task?identifier=${name}&_count=10`,
    `Basic?code=${link}&subject=Patient/${patientId}&_count=10`,
    `Organization/${organizationId}`,
  ];
}

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for the Tasks whose patients are to be looked up again.
 */
export function waitingSearch(systems: Systems): string {
  return `Task?code=${encodeURIComponent(`${systems.control}|partner-match`)}&status=draft&_sort=_lastUpdated&_count=50`;
}

function nameOf(patientId: string): string {
  return `match Patient/${patientId}`;
}

function outcomeSystem({ namespace }: Systems): string {
  return `${namespace}/match-outcome`;
}

function failuresUrl({ namespace }: Systems): string {
  return `${namespace}/match-failures`;
}
