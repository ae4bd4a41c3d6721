/** What a mirrored event is made of, to the last element: one event that says all it may, one that says nothing, and one that lies. */
import { validateResource } from '@medplum/core';
import type { AuditEvent } from '@medplum/fhirtypes';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadDefinitions } from '../../../scripts/sandbox/definitions.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { isOfTheTrail, mirrorOf, namedIn, organizationsOf, residueOf } from '../../../src/flows/audit/map.ts';
import type { Resolution } from '../../../src/flows/audit/map.ts';

const systems = systemsOf();
const REPLICA = 'https://replica/fhir/R4/';
const OBJECT_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const OBJECT_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role';
const COMMITTED = '2026-01-02T03:04:06.000Z';
const person = {
  type: { system: OBJECT_TYPE, code: '1', display: 'Person' },
  role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
};
const foreign = (value: string): object => ({ identifier: { system: systems.replicaReference, value } });
const coded = (code: string, system = 'urn:oid:1.2.3'): { system: string; code: string } => ({ system, code });

const full: AuditEvent = {
  resourceType: 'AuditEvent',
  id: 'event-1',
  meta: { lastUpdated: COMMITTED },
  extension: [
    { url: 'https://medplum.com/fhir/StructureDefinition/tracing', extension: [{ url: 'requestId', valueId: 'r-1' }] },
  ],
  type: coded('rest', 'http://terminology.hl7.org/CodeSystem/audit-event-type'),
  subtype: [coded('read', 'http://hl7.org/fhir/restful-interaction')],
  action: 'R',
  period: { start: '2026-01-02T03:04:05Z', end: '2026-01-02T03:04:05.5+01:00' },
  recorded: '2026-01-02T03:04:05.678Z',
  outcome: '12',
  purposeOfEvent: [{ coding: [coded('TREAT'), coded('BTG')] }],
  agent: [
    {
      type: { coding: [coded('110153')] },
      role: [{ coding: [coded('DOCTOR')] }],
      who: { reference: 'Practitioner/p1/_history/3' },
      requestor: true,
      network: { address: 'fe80::1', type: '2' },
    },
  ],
  source: { observer: { reference: 'Device/d1' } },
  entity: [
    { what: { reference: 'Patient/a' }, lifecycle: coded('6') },
    { what: { reference: 'Observation/b' }, type: coded('2'), role: coded('4') },
    { what: { reference: 'Observation/c' } },
    { what: { reference: 'Patient/nobody' } },
    { what: { reference: 'Organization/o1' }, type: coded('3') },
  ],
};
const RESOLUTION: Resolution = new Map([
  ['Patient/a', { token: 'pt_a', patientToken: 'pt_a', patient: 'Patient/source-a' }],
  ['Observation/b', { token: 'rs_b', patientToken: 'pt_a', patient: 'Patient/source-a' }],
  ['Observation/c', { token: 'rs_c', patientToken: 'pt_c', patient: undefined }],
]);
const origin = (id: string, ...details: [string, string][]): object => ({
  what: foreign(`AuditEvent/${id}`),
  type: { system: OBJECT_TYPE, code: '4', display: 'Other' },
  detail: [...details, ['source', 'medplum']].map(([type, valueString]) => ({ type, valueString })),
});
const bare = {
  resourceType: 'AuditEvent',
  agent: [{ name: 'unknown', requestor: true }],
  source: { site: 'medplum', observer: foreign(REPLICA) },
};
beforeAll(loadDefinitions);

test('an event that says all: codes, instants, addresses, tokens', () => {
  const mirrored = mirrorOf(full, RESOLUTION, systems, REPLICA);
  expect(validateResource(mirrored)).toEqual([]);
  expect(mirrored).toEqual({
    ...bare,
    meta: { tag: [{ system: systems.mirrored, code: 'event-1' }] },
    type: { system: systems.auditType, code: 'FHIR_READ' },
    subtype: full.subtype,
    action: 'R',
    period: full.period,
    recorded: full.recorded,
    outcome: '12',
    purposeOfEvent: [{ coding: [coded('TREAT')] }, { coding: [coded('BTG')] }],
    agent: [
      {
        type: { coding: [coded('110153')] },
        role: [{ coding: [coded('DOCTOR')] }],
        who: foreign('Practitioner/p1'),
        requestor: true,
        network: { address: 'fe80::1', type: '2' },
      },
    ],
    entity: [
      {
        what: { reference: 'Patient/source-a', identifier: { system: systems.patientToken, value: 'pt_a' } },
        ...person,
        lifecycle: coded('6'),
        detail: [{ type: 'replica', valueString: 'Patient/a' }],
      },
      {
        what: { identifier: { system: systems.resourceToken, value: 'rs_b' } },
        type: coded('2'),
        role: coded('4'),
        detail: [{ type: 'replica', valueString: 'Observation/b' }],
      },
      {
        what: { identifier: { system: systems.resourceToken, value: 'rs_c' } },
        detail: [{ type: 'replica', valueString: 'Observation/c' }],
      },
      { what: foreign('Patient/nobody') },
      { what: foreign('Organization/o1'), type: coded('3') },
      { what: { identifier: { system: systems.patientToken, value: 'pt_c' } }, ...person },
      {
        what: { identifier: { system: systems.organization, value: 'o1' } },
        type: { system: OBJECT_TYPE, code: '3', display: 'Organization' },
      },
      origin('event-1', ['committed', COMMITTED], ['request', 'r-1']),
    ],
  });
});

test('an event that says nothing: an unknown agent, and where it came from', () => {
  const silent = {
    resourceType: 'AuditEvent',
    type: { code: 'rest' },
    recorded: '2026-01-02T03:04:05Z',
    agent: [],
    source: {},
  };
  expect(mirrorOf(silent as unknown as AuditEvent, new Map(), systems, REPLICA)).toEqual({
    ...bare,
    meta: { tag: [{ system: systems.mirrored, code: '' }] },
    type: { system: systems.auditType, code: 'FHIR_EXECUTE' },
    recorded: '2026-01-02T03:04:05Z',
    entity: [origin('undefined')],
  });
});

describe('an event that lies', () => {
  const LIE = 'Jane Doe';
  const lying = {
    ...full,
    extension: [
      { url: 'urn:x/tracing', extension: [{ url: 'requestId', valueString: LIE }] },
      { url: 'urn:x/org-id', valueString: LIE },
    ],
    subtype: [
      { code: LIE },
      { system: LIE, code: 'read' },
      { system: 'urn:x' },
      { system: `urn:x?q=${LIE}`, code: 'vread' },
    ],
    action: 'constructor',
    period: { start: '2026-01-02T03:04:05Z', end: LIE },
    recorded: LIE,
    outcome: LIE,
    purposeOfEvent: [{ text: LIE }, { coding: [{ code: LIE }] }],
    agent: [
      {
        type: { coding: [{ code: LIE }] },
        role: [{ coding: [{ code: LIE }] }, { text: LIE }],
        who: { reference: 'https://elsewhere/Practitioner/1' },
        requestor: 'yes',
        network: { address: LIE },
      },
    ],
    entity: [
      { what: { reference: 'Patient' } },
      { what: { identifier: { value: LIE } } },
      { what: { reference: 'Observation/z' }, type: { code: LIE }, role: { code: LIE }, lifecycle: { code: LIE } },
      {},
    ],
  } as unknown as AuditEvent;

  test('of each field what is not in its form stays behind', () => {
    expect(mirrorOf(lying, RESOLUTION, systems, REPLICA)).toEqual({
      ...bare,
      meta: { tag: [{ system: systems.mirrored, code: 'event-1' }] },
      type: { system: systems.auditType, code: 'FHIR_EXECUTE' },
      subtype: [{ code: 'read' }, { code: 'vread' }],
      recorded: COMMITTED,
      agent: [{ name: 'unknown', requestor: false }],
      entity: [{ what: foreign('Observation/z') }, origin('event-1', ['committed', COMMITTED])],
    });
  });

  test.each([
    [{ start: LIE }, false],
    [{ end: '2026-01-02T03:04:05Z' }, false],
    [{ start: '2026-01-02T03:04:05Z' }, true],
    [undefined, false],
  ])('a period %j comes over: %j', (period, isThere) => {
    const { period: mirrored } = mirrorOf({ ...full, period } as AuditEvent, RESOLUTION, systems, REPLICA);
    expect(mirrored !== undefined).toBe(isThere);
  });

  test('in its bare form nothing but that it was', () => {
    expect(residueOf({ ...full, entity: lying.entity } as AuditEvent, systems, REPLICA)).toEqual({
      ...bare,
      meta: { tag: [{ system: systems.mirrored, code: 'event-1' }] },
      type: { system: systems.auditType, code: 'FHIR_READ' },
      action: 'R',
      recorded: full.recorded,
      outcome: '12',
      outcomeDesc: 'not-mirrored-in-full',
      entity: [origin('event-1', ['committed', COMMITTED], ['request', 'r-1'])],
    });
    const { action: _action, ...without } = full;
    expect(residueOf(without, systems, REPLICA).type.code).toBe('FHIR_EXECUTE');
  });
});

describe('of the trail itself', () => {
  const is = (event: Partial<AuditEvent>): boolean => isOfTheTrail({ ...full, ...event }, systems, 'our-client');
  const ours = [{ who: { reference: 'ClientApplication/our-client' }, requestor: true }];
  const trail = [{ what: { reference: 'AuditEvent/1' } }];
  test.each<[boolean, string, Partial<AuditEvent>]>([
    [false, 'a read of a record', {}],
    [true, 'an event of ours', { type: { system: systems.auditType, code: 'FHIR_SYNC' } }],
    [true, 'a mirror', { meta: { tag: [{ system: systems.mirrored, code: 'x' }] } }],
    [false, 'an event with a tag of somebody else', { meta: { tag: [{ system: 'urn:x', code: 'x' }] } }],
    [true, 'our reading of the trail', { agent: ours, entity: trail }],
    [false, 'somebody’s reading of the trail', { entity: trail }],
    [false, 'our reading of a record', { agent: ours }],
    [false, 'an event of ours about nothing', { agent: ours, entity: undefined as never }],
    [true, 'our reading of the trail among others', { agent: [...full.agent, ...ours], entity: [{}, ...trail] }],
  ])('%s: %s', (expected, _what, event) => {
    expect(is(event)).toBe(expected);
  });
});

test('what is named is named once, and nothing in it is no name', () => {
  expect(namedIn({ ...full, entity: undefined as never })).toEqual([]);
  const twice = { ...full, entity: [...(full.entity ?? []), {}, ...(full.entity ?? [])] };
  expect(namedIn(twice)).toEqual(['Patient/a', 'Observation/b', 'Observation/c', 'Patient/nobody', 'Organization/o1']);
});

test.each([
  ['valueReference', { reference: 'Organization/o1' }, ['o1']],
  ['valueString', 'o2', ['o2']],
  ['valueCode', 'o3', ['o3']],
  ['valueIdentifier', { value: 'o4' }, ['o4']],
  ['valueString', '', []],
  ['valueString', 'A Clinic', []],
  ['valueInteger', 5, []],
])('an organization stated by %s %j is %j', (name, value, expected) => {
  const { entity: _entity, ...without } = full;
  const event = { ...without, extension: [{ url: 'urn:x/organization', [name]: value }] };
  expect(organizationsOf(event as AuditEvent)).toEqual(expected);
});
