/** Looks into the trail by the server's search: mirrored events for `audit-mirror/search`, our own for reports. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';
import type { Systems } from '../../fhir/systems.ts';
import type { SourceFhir } from '../../ports.ts';
import { eventsOf } from './day.io.ts';
import { MIRROR_TYPES, typeOf } from './map.ts';
import { nextPlace } from './place.ts';
import type { Place } from './place.ts';
import { REPORT_TYPES, reported, rowsOf } from './report.ts';
import type { ReportKind, ReportRow, Setting } from './report.ts';

/** What `audit-mirror/search` takes (seed §6.3). */
export interface TrailQuery {
  readonly orgId?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly agentReference?: string | undefined;
  readonly entityReference?: string | undefined;
  readonly limit?: number | undefined;
}

const ALL_TYPES: readonly string[] = Object.values(MIRROR_TYPES);

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param query - What is looked for.
 * @returns Mirrored events, newest first.
 * @throws Fault `input-invalid` for a type that is none of the mirror's.
 */
export async function searchMirrored(source: SourceFhir, systems: Systems, query: TrailQuery): Promise<AuditEvent[]> {
  const types = query.eventTypes ?? ALL_TYPES;
  if (types.length === 0 || !types.every((type) => ALL_TYPES.includes(type))) {
    throw new Fault('input-invalid', [`eventTypes are of ${ALL_TYPES.join(', ')}`]);
  }
  const { orgId, agentReference, entityReference, since, until } = query;
  const term = (name: string, system: string, value: string): string =>
    `&${name}:identifier=${encodeURIComponent(`${system}|${value}`)}`;
  return eventsOf(
    source,
    `AuditEvent?type=${typeTerms(systems, types)}&_sort=-date&_count=${Math.min(query.limit ?? 100, 1000)}` +
      (since ? `&date=ge${encodeURIComponent(since)}` : '') +
      (until ? `&date=le${encodeURIComponent(until)}` : '') +
      (orgId ? term('entity', systems.organization, orgId) : '') +
      (agentReference ? term('agent', systems.replicaReference, agentReference) : '') +
      (entityReference ? entityTerm(systems, entityReference, term) : '')
  );
}

/** A token of ours, a Patient of the source, or something as the replica calls it. */
function entityTerm(
  systems: Systems,
  reference: string,
  term: (name: string, system: string, value: string) => string
): string {
  const id = reference.split('/').at(-1) ?? '';
  if (/^[a-z]{2,3}_/.test(id)) {
    return term('entity', typeOf(reference) === 'Patient' ? systems.patientToken : systems.resourceToken, id);
  }
  return typeOf(reference) === 'Patient'
    ? `&entity=${encodeURIComponent(reference)}`
    : term('entity', systems.replicaReference, reference);
}

function typeTerms(systems: Systems, types: readonly string[]): string {
  return types.map((type) => encodeURIComponent(`${systems.auditType}|${type}`)).join(',');
}

/** What a report is about. */
export interface ReportQuery {
  readonly kind: ReportKind;
  /** From when on, an instant. */
  readonly since: string | undefined;
  /** `Patient/id`, to tell of one patient only. */
  readonly patient?: string | undefined;
}

/**
 * Makes a report, in as many pages as it takes.
 *
 * @param source - The source.
 * @param setting - The deployment.
 * @param query - Which report.
 * @param archived - Events that are no longer in the source.
 * @returns Its rows, oldest first, each event once, also one that was restored from an archive.
 */
export async function reportRows(
  source: SourceFhir,
  setting: Setting,
  { kind, since, patient }: ReportQuery,
  archived: readonly AuditEvent[] = []
): Promise<ReportRow[]> {
  const { systems } = setting;
  const found = new Map(reported(kind, archived, since, patient).map((event) => [event.id ?? '', event]));
  let place: Place | undefined = { since, offset: 0 };
  while (place) {
    const page: AuditEvent[] = await eventsOf(
      source,
      `AuditEvent?type=${typeTerms(systems, REPORT_TYPES[kind])}&_sort=_lastUpdated,_id&_count=1000` +
        (place.since ? `&_lastUpdated=ge${place.since}` : '') +
        (patient ? `&entity=${encodeURIComponent(patient)}` : '') +
        (place.offset > 0 ? `&_offset=${place.offset}` : '')
    );
    page.forEach((event) => found.set(originalId(event, systems), event));
    place = nextPlace(place, page);
  }
  const events = [...found.values()].sort((a, b) => (a.recorded < b.recorded ? -1 : 1));
  return rowsOf(kind, events, setting);
}

function originalId({ id = '', meta }: AuditEvent, systems: Systems): string {
  return meta?.tag?.find(({ system }) => system === systems.restored)?.code ?? id;
}

/** One event as the seeds show it (§6.3). */
export interface ShownEvent {
  readonly id: string;
  readonly ts: string;
  readonly eventType: string;
  readonly orgId: string | undefined;
  readonly action: string | undefined;
  readonly outcome: string | undefined;
  readonly agent: object;
  readonly entities: readonly object[];
}

/**
 * @param event - A mirrored event.
 * @param systems - Our systems.
 * @returns It in the shape of the seeds; names are not mirrored, so there are none.
 */
export function shown(event: AuditEvent, systems: Systems): ShownEvent {
  const nameOf = (what: { reference?: string; identifier?: { value?: string } } | undefined): string | undefined =>
    what?.reference ?? what?.identifier?.value;
  const entities = (event.entity ?? []).filter(({ what }) => what?.identifier?.system !== systems.organization);
  const org = event.entity?.find(({ what }) => what?.identifier?.system === systems.organization);
  const agent = event.agent.find(({ requestor }) => requestor) ?? event.agent[0];
  return {
    id: event.id ?? '',
    ts: event.recorded,
    eventType: event.type.code ?? '',
    orgId: org?.what?.identifier?.value,
    action: event.action,
    outcome: event.outcome,
    agent: { type: agent?.type?.coding?.[0]?.code, who: nameOf(agent?.who), requestor: agent?.requestor },
    entities: entities.map(({ what, type, role, lifecycle }) => ({
      what: nameOf(what),
      type: type?.code,
      role: role?.code,
      lifecycle: lifecycle?.code,
    })),
  };
}
