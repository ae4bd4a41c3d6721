/** The evidence as a proof for an auditor: what was consented, shared and erased, when and by which rule. Nothing identified. */
import type { AuditEvent, AuditEventEntity, Consent } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { Evidence } from './evidence.ts';

/** One version of a Consent. Consents are numbered by their first version: their ids lead back to the source. */
export interface ConsentRow {
  readonly consent: string;
  readonly version: number;
  readonly at: string;
  readonly status: string;
}

/** One copy, from the first time it was written. */
export interface CopyRow {
  readonly token: string;
  readonly firstSharedAt?: string;
  readonly lastSharedAt?: string;
  /** The Consent version and provision that permitted the last write. */
  readonly under?: string;
  readonly provision?: string;
  readonly erasedAt?: string;
  readonly reason?: string;
  /** `expunged` with history, or `deleted`. */
  readonly erasure?: string;
}

/** One run after a change of Consent. */
export interface ConsentRun {
  readonly at: string;
  readonly consent: string;
  readonly put: number;
  readonly withdrawn: number;
  readonly history: string;
  /** Copies that a search found afterwards although nothing may be there. */
  readonly found: number;
  readonly outcome: string;
}

export interface Proof {
  readonly patient: string;
  readonly consents: readonly ConsentRow[];
  readonly copies: readonly CopyRow[];
  readonly runs: readonly ConsentRun[];
  /** Reason → how often a record was refused. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly shared: number;
  readonly erased: number;
}

/**
 * @param token - The patient's token.
 * @param evidence - What the source knows.
 * @param systems - Our systems.
 * @returns The proof.
 */
export function proofOf(token: string, evidence: Evidence, systems: Systems): Proof {
  const name = namesOf(evidence.consents);
  const copies = new Map<string, CopyRow>();
  const refusals: Record<string, number> = {};
  for (const event of evidence.events.filter(({ type }) => type.code === 'FHIR_SYNC')) {
    for (const entity of event.entity ?? []) {
      apply(event, entity, { copies, refusals, name });
    }
  }
  const rows = [...copies.values()];
  return {
    patient: token,
    consents: consentRows(evidence.consents, name),
    copies: rows,
    runs: evidence.events
      .filter(({ type }) => type.code === 'FHIR_CONSENT')
      .map((event) => runOf(event, name, systems)),
    refusals,
    shared: rows.filter(({ firstSharedAt }) => firstSharedAt).length,
    erased: rows.filter(({ erasedAt }) => erasedAt).length,
  };
}

interface Ledger {
  readonly copies: Map<string, CopyRow>;
  readonly refusals: Record<string, number>;
  readonly name: (reference: string) => string;
}

function apply({ recorded }: AuditEvent, entity: AuditEventEntity, { copies, refusals, name }: Ledger): void {
  const token = entity.what?.identifier?.value;
  const { action, reason, consent, provision, erasure } = detailsOf(entity);
  if (!token || !action) {
    return;
  }
  const before = copies.get(token) ?? { token };
  if (action === 'put') {
    const { erasedAt: _erasedAt, reason: _reason, erasure: _erasure, ...still } = before;
    copies.set(token, {
      ...still,
      firstSharedAt: before.firstSharedAt ?? recorded,
      lastSharedAt: recorded,
      ...(consent && { under: name(consent) }),
      ...(provision && { provision }),
    });
  } else if (action === 'withdraw' && before.firstSharedAt) {
    copies.set(token, { ...before, erasedAt: recorded, ...(reason && { reason }), ...(erasure && { erasure }) });
  } else if (reason) {
    refusals[reason] = (refusals[reason] ?? 0) + 1;
  }
}

function runOf(event: AuditEvent, name: (reference: string) => string, systems: Systems): ConsentRun {
  const job = event.entity?.find(({ what }) => what?.identifier?.system === systems.correlation);
  const { consent = '', put = '0', withdrawn = '0', history = '', found = '0' } = job ? detailsOf(job) : {};
  return {
    at: event.recorded,
    consent: name(consent),
    put: Number(put),
    withdrawn: Number(withdrawn),
    history,
    found: Number(found),
    outcome: event.outcome ?? '',
  };
}

function detailsOf(entity: AuditEventEntity): Partial<Record<string, string>> {
  return Object.fromEntries((entity.detail ?? []).map(({ type, valueString }) => [type, valueString ?? '']));
}

const inOrder = (consents: readonly Consent[]): Consent[] =>
  consents.toSorted((a, b) => (a.meta?.lastUpdated ?? '').localeCompare(b.meta?.lastUpdated ?? ''));

/** `Consent/id` and `Consent/id/_history/v` → `consent-2` and `consent-2 v3`. */
function namesOf(consents: readonly Consent[]): (reference: string) => string {
  const ordered = inOrder(consents);
  const ids = [...new Set(ordered.map(({ id }) => id))];
  const versions = new Map(
    ids.map((id) => [id, ordered.filter((one) => one.id === id).map(({ meta }) => meta?.versionId)])
  );
  return (reference) => {
    const [, id, version] = /^Consent\/([^/]+)(?:\/_history\/(.+))?$/.exec(reference) ?? [];
    const number = ids.indexOf(id) + 1;
    const at = version ? (versions.get(id)?.indexOf(version) ?? -1) + 1 : 0;
    return number === 0 ? 'a consent that is gone' : `consent-${number}${at > 0 ? ` v${at}` : ''}`;
  };
}

function consentRows(consents: readonly Consent[], name: (reference: string) => string): ConsentRow[] {
  return inOrder(consents).map(({ id, meta, status }) => {
    const [consent = '', version = '0'] = name(`Consent/${id}/_history/${meta?.versionId}`).split(' v');
    return { consent, version: Number(version), at: meta?.lastUpdated ?? '', status };
  });
}
