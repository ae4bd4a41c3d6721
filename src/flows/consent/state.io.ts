/** The Consents of a patient, and what they come to. */
import type { Bundle, Consent } from '@medplum/fhirtypes';
import { ADVICE } from '../../rules/consent/advice.ts';
import { decideClasses } from '../../rules/consent/classes.ts';
import { explain } from '../../rules/consent/explain.ts';
import { lint } from '../../rules/consent/lint.ts';
import { grantedBy } from '../../rules/consent/simple.ts';
import type { AdminDeps } from '../action.ts';

type Reading = Pick<AdminDeps, 'source' | 'config' | 'clock'>;

/** One Consent. */
export interface ConsentRow {
  readonly consent: string;
  readonly version: string;
  readonly status: string;
  readonly given: string;
  readonly until: string;
  /** The classes of a simple one; for others whether the root permits or denies. */
  readonly says: string;
}

/** What a normal record of a class may do today. */
export interface ClassRow {
  readonly class: string;
  readonly decision: string;
  /** The sentence of the decision; codes only. */
  readonly because: string;
}

export interface LintRow {
  readonly consent: string;
  readonly path: string;
  readonly code: string;
  readonly advice: string;
}

export interface ConsentState {
  readonly patient: string;
  readonly consents: readonly ConsentRow[];
  readonly classes: readonly ClassRow[];
  readonly findings: readonly LintRow[];
}

/**
 * @param deps - The run.
 * @param patientId - The patient.
 * @returns Every page, active and not.
 */
export async function consentsOf({ source }: Pick<Reading, 'source'>, patientId: string): Promise<Consent[]> {
  const found: Consent[] = [];
  for (let url: string | undefined = `Consent?patient=Patient/${patientId}&_count=100`; url;) {
    const page: Bundle = await source.search(url);
    found.push(...(page.entry ?? []).flatMap(({ resource }) => (resource as Consent | undefined) ?? []));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found;
}

/**
 * @param deps - The run.
 * @param patientId - The patient.
 * @returns The Consents as they are now, what they permit, and what in them is ambiguous. Ids and codes only.
 */
export async function stateOf(deps: Reading, patientId: string): Promise<ConsentState> {
  const { config, clock } = deps;
  const consents = await consentsOf(deps, patientId);
  const at = new Date(clock.now()).toISOString();
  const asking = { ...config.consent, systems: config.systems };
  return {
    patient: `Patient/${patientId}`,
    consents: consents.map((consent) => rowOf(consent, config.systems.dataClass)),
    classes: decideClasses(consents, patientId, asking, at).map(({ name, decision }) => ({
      class: name,
      decision: decision.decision,
      because: explain(decision),
    })),
    findings: findingsOf(consents),
  };
}

/**
 * @param consents - All Consents of one patient.
 * @returns What is ambiguous, and how to write it.
 */
export function findingsOf(consents: readonly Consent[]): LintRow[] {
  return lint(consents).map(({ consent, path, code }) => ({
    consent: `Consent/${consent}`,
    path,
    code,
    advice: ADVICE[code],
  }));
}

function rowOf(consent: Consent, dataClassSystem: string): ConsentRow {
  const { id, meta, status, dateTime, provision } = consent;
  const own = provision?.type ? `root ${provision.type}, own provisions` : 'root without type';
  return {
    consent: `Consent/${id}`,
    version: meta?.versionId ?? '',
    status,
    given: dateTime ?? '',
    until: provision?.period?.end ?? '',
    says: grantedBy(consent, dataClassSystem)?.join(' ') ?? own,
  };
}
