/**
 * One AuditEvent of the replica as the source keeps it. It is built from an allow-list: codes, instants, references and tokens
 * come over; queries, names, descriptions and other text do not. Pure.
 */
import type { AuditEvent, AuditEventAgent, AuditEventEntity, Coding, Extension, Reference } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { detail, OBJECT_ROLE, OBJECT_TYPE } from '../../observability/trail.ts';

/** `AuditEvent.action` → our type (seed §2.6). */
export const MIRROR_TYPES = {
  C: 'FHIR_CREATE',
  R: 'FHIR_READ',
  U: 'FHIR_UPDATE',
  D: 'FHIR_DELETE',
  E: 'FHIR_EXECUTE',
} as const;

/** What is known of a resource of the replica. */
export interface Resolved {
  readonly token: string;
  /** The Patient whose it is, by token, and in the source while there is a link. */
  readonly patientToken: string | undefined;
  readonly patient: string | undefined;
}

/** `Type/id` on the replica → what is known of it. */
export type Resolution = ReadonlyMap<string, Resolved>;

const REFERENCE = /^([A-Z][A-Za-z]{2,40})\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/;
const CODE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+)$/;
const SYSTEM = /^(?:https?:\/\/|urn:)[^\s?#]{1,200}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Whether an event is about the trail itself: what the mirror reads would otherwise be mirrored, and that again.
 *
 * @param event - An event of the replica.
 * @param systems - Our systems.
 * @param clientId - The ClientApplication with which we sign in there.
 * @returns True for our own events and mirrors, and for what our client did to AuditEvents.
 */
export function isOfTheTrail(event: AuditEvent, systems: Systems, clientId: string): boolean {
  if (event.type.system === systems.auditType || event.meta?.tag?.some(({ system }) => system === systems.mirrored)) {
    return true;
  }
  const isOurs = event.agent.some(({ who }) => who?.reference?.split('/')[1] === clientId);
  return isOurs && (event.entity ?? []).some(({ what }) => typeOf(what?.reference) === 'AuditEvent');
}

/**
 * @param event - An event of the replica.
 * @returns `Type/id` of everything that it names, once each.
 */
export function namedIn(event: AuditEvent): string[] {
  return [...new Set((event.entity ?? []).flatMap(({ what }) => placeOf(what) ?? []))];
}

/**
 * Builds the mirror of one event.
 *
 * @param event - The event of the replica, with id and meta.
 * @param resolution - What is known of the resources that it names.
 * @param systems - Our systems.
 * @param replica - The FHIR endpoint of the replica.
 * @returns An AuditEvent for the source. The tag with the replica's id is what look-ups find it by.
 */
export function mirrorOf(event: AuditEvent, resolution: Resolution, systems: Systems, replica: string): AuditEvent {
  const subtype = (event.subtype ?? []).flatMap((coding) => codingOf(coding) ?? []);
  const purposes = (event.purposeOfEvent ?? []).flatMap(({ coding }) =>
    (coding ?? []).flatMap((each) => codingOf(each) ?? [])
  );
  const agents = event.agent.map((agent) => agentOf(agent, systems));
  return {
    ...bareOf(event, systems, replica),
    ...(subtype.length > 0 && { subtype }),
    ...(isPeriod(event.period) && { period: { start: event.period?.start, end: event.period?.end } as never }),
    ...(purposes.length > 0 && { purposeOfEvent: purposes.map((coding) => ({ coding: [coding] })) }),
    ...(agents.length > 0 && { agent: agents }),
    entity: [
      ...(event.entity ?? []).flatMap((entity) => entityOf(entity, resolution, systems)),
      ...patientEntities(event, resolution, systems),
      ...organizationEntities(event, systems),
      originEntity(event, systems),
    ],
  };
}

/**
 * The least that can be said of an event, for one that the source refuses in full: that it was, when, and what its id is.
 *
 * @param event - The event of the replica.
 * @param systems - Our systems.
 * @param replica - The FHIR endpoint of the replica.
 * @returns An AuditEvent for the source.
 */
export function residueOf(event: AuditEvent, systems: Systems, replica: string): AuditEvent {
  return {
    ...bareOf(event, systems, replica),
    outcomeDesc: 'not-mirrored-in-full',
    entity: [originEntity(event, systems)],
  };
}

/**
 * @param place - A reference.
 * @returns Its resource type.
 */
export function typeOf(place: string | undefined): string {
  return place?.split('/')[0] ?? '';
}

function bareOf(event: AuditEvent, systems: Systems, replica: string): AuditEvent {
  const { action = '' } = event;
  const isCoded = (code: string): code is keyof typeof MIRROR_TYPES => Object.hasOwn(MIRROR_TYPES, code);
  const known = event.outcome && /^(0|4|8|12)$/.test(event.outcome);
  return {
    resourceType: 'AuditEvent',
    meta: { tag: [{ system: systems.mirrored, code: event.id ?? '' }] },
    // What names no action, or none of R4's, is something that was done.
    type: { system: systems.auditType, code: MIRROR_TYPES[isCoded(action) ? action : 'E'] },
    ...(isCoded(action) && { action }),
    recorded: INSTANT.test(event.recorded) ? event.recorded : (event.meta?.lastUpdated ?? event.recorded),
    ...(known && { outcome: event.outcome }),
    agent: [{ name: 'unknown', requestor: true }],
    source: { site: 'medplum', observer: { identifier: { system: systems.replicaReference, value: replica } } },
  };
}

function isPeriod(period: AuditEvent['period']): boolean {
  return Boolean(period?.start && INSTANT.test(period.start) && (!period.end || INSTANT.test(period.end)));
}

function codingOf({ system, code }: Coding): Coding | undefined {
  return code && CODE.test(code) ? { ...(system && SYSTEM.test(system) && { system }), code } : undefined;
}

function placeOf(what: Reference | undefined): string | undefined {
  const [, type, id] = REFERENCE.exec(what?.reference ?? '') ?? [];
  return type && id ? `${type}/${id}` : undefined;
}

/** A reference that only the replica can resolve would mean somebody else here: it becomes an identifier. */
function foreign(place: string, systems: Systems): Reference {
  return { identifier: { system: systems.replicaReference, value: place } };
}

function agentOf({ type, who, role, requestor, network }: AuditEventAgent, systems: Systems): AuditEventAgent {
  const place = placeOf(who);
  const coding = (type?.coding ?? []).flatMap((each) => codingOf(each) ?? []);
  const roles = (role ?? []).flatMap((each) => (each.coding ?? []).flatMap((one) => codingOf(one) ?? []));
  const address = network?.address && ADDRESS.test(network.address) ? network.address : undefined;
  return {
    ...(coding.length > 0 && { type: { coding } }),
    ...(roles.length > 0 && { role: [{ coding: roles }] }),
    ...(place ? { who: foreign(place, systems) as never } : { name: 'unknown' }),
    requestor: requestor === true,
    ...(address && { network: { address, type: '2' as const } }),
  };
}

function entityOf(entity: AuditEventEntity, resolution: Resolution, systems: Systems): AuditEventEntity[] {
  const place = placeOf(entity.what);
  if (!place) {
    return [];
  }
  const known = resolution.get(place);
  const codes = {
    ...(entity.type && codingOf(entity.type) && { type: codingOf(entity.type) as Coding }),
    ...(entity.role && codingOf(entity.role) && { role: codingOf(entity.role) as Coding }),
    ...(entity.lifecycle && codingOf(entity.lifecycle) && { lifecycle: codingOf(entity.lifecycle) as Coding }),
  };
  if (!known) {
    return [{ what: foreign(place, systems), ...codes }];
  }
  const isPatient = typeOf(place) === 'Patient';
  return [
    {
      what: {
        ...(isPatient && known.patient && { reference: known.patient }),
        identifier: { system: isPatient ? systems.patientToken : systems.resourceToken, value: known.token },
      },
      ...(isPatient && {
        type: { system: OBJECT_TYPE, code: '1', display: 'Person' },
        role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
      }),
      ...codes,
      detail: [detail('replica', place)],
    },
  ];
}

/** Whose the named records are: an event about an Observation is found under its patient, too. */
function patientEntities(event: AuditEvent, resolution: Resolution, systems: Systems): AuditEventEntity[] {
  const named = namedIn(event);
  const stated = new Set(
    named.filter((place) => typeOf(place) === 'Patient').map((place) => resolution.get(place)?.token)
  );
  const others = new Map(
    named.flatMap((place) => {
      const known = resolution.get(place);
      return known?.patientToken && !stated.has(known.patientToken)
        ? [[known.patientToken, known.patient] as const]
        : [];
    })
  );
  return [...others].map(([token, reference]) => ({
    what: { ...(reference && { reference }), identifier: { system: systems.patientToken, value: token } },
    type: { system: OBJECT_TYPE, code: '1', display: 'Person' },
    role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
  }));
}

/**
 * The organizations of an event (seed §2.6): from an extension that is called so, or from what it names.
 *
 * @param event - An event of the replica.
 * @returns Ids, once each.
 */
export function organizationsOf(event: AuditEvent): string[] {
  const stated = (event.extension ?? []).filter(({ url }) =>
    /[/-](org|org-id|organization|organization-id)$/i.test(url)
  );
  const idOf = (text: string | undefined): string[] => {
    const id = text?.split('/').at(-1);
    return id && CODE.test(id) ? [id] : [];
  };
  const valueOf = ({ valueReference, valueString, valueCode, valueIdentifier }: Extension): string[] =>
    idOf(valueReference?.reference ?? valueString ?? valueCode ?? valueIdentifier?.value);
  const named = [...(event.entity ?? []).map(({ what }) => what), ...event.agent.map(({ who }) => who)];
  return [
    ...new Set([
      ...stated.flatMap(valueOf),
      ...named.flatMap((what) => (typeOf(what?.reference) === 'Organization' ? idOf(what?.reference) : [])),
    ]),
  ];
}

function organizationEntities(event: AuditEvent, systems: Systems): AuditEventEntity[] {
  return organizationsOf(event).map((id) => ({
    what: { identifier: { system: systems.organization, value: id } },
    type: { system: OBJECT_TYPE, code: '3', display: 'Organization' },
  }));
}

/** Where it came from, and which request it was there: rows of one request share that id. */
function originEntity(event: AuditEvent, systems: Systems): AuditEventEntity {
  const tracing = event.extension?.find(({ url }) => url.endsWith('/tracing'))?.extension;
  const request = tracing?.find(({ url }) => url === 'requestId');
  const requestId = request?.valueId ?? request?.valueString;
  const committed = event.meta?.lastUpdated;
  return {
    what: { identifier: { system: systems.replicaReference, value: `AuditEvent/${event.id}` } },
    type: { system: OBJECT_TYPE, code: '4', display: 'Other' },
    detail: [
      ...(committed ? [detail('committed', committed)] : []),
      ...(requestId && CODE.test(requestId) ? [detail('request', requestId)] : []),
      detail('source', 'medplum'),
    ],
  };
}
