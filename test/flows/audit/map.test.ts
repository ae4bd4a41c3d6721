import { validateResource } from '@medplum/core';
import type { AuditEvent } from '@medplum/fhirtypes';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadDefinitions } from '../../../scripts/sandbox/definitions.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { mirrorOf, organizationsOf, residueOf } from '../../../src/flows/audit/map.ts';
import type { Resolution } from '../../../src/flows/audit/map.ts';
import { runEventOf } from '../../../src/observability/run-trail.ts';
import { replicaEvent } from './kit.ts';

const systems = systemsOf();
const T0 = Date.parse('2026-01-02T03:04:05.678Z');
const map = (event: AuditEvent, resolution: Resolution = new Map()): AuditEvent =>
  mirrorOf(event, resolution, systems, 'https://replica/fhir/R4/');
beforeAll(loadDefinitions);

test.each([
  ['C', 'FHIR_CREATE'],
  ['R', 'FHIR_READ'],
  ['U', 'FHIR_UPDATE'],
  ['D', 'FHIR_DELETE'],
  ['E', 'FHIR_EXECUTE'],
  [undefined, 'FHIR_EXECUTE'],
] as const)('%s is %s', (action, type) => {
  const { action: _action, ...event } = replicaEvent(T0);
  expect(map({ ...event, ...(action && { action }) }).type).toEqual({ system: systems.auditType, code: type });
});

const SECRET = 'Jane Doe 1971';
const talkative: AuditEvent = replicaEvent(T0, {
  outcomeDesc: SECRET,
  extension: [
    { url: 'https://medplum.com/fhir/StructureDefinition/tracing', extension: [{ url: 'requestId', valueId: 'r-1' }] },
    {
      url: 'https://holilabs.xyz/fhir/organization',
      valueReference: { reference: 'Organization/org_1', display: SECRET },
    },
    { url: 'urn:note', valueString: SECRET },
  ],
  purposeOfEvent: [{ text: SECRET, coding: [{ system: 'urn:p', code: 'TREAT', display: SECRET }] }],
  agent: [
    {
      who: { reference: 'Practitioner/p1', display: SECRET },
      name: SECRET,
      altId: SECRET,
      requestor: true,
      network: { address: '10.1.2.3', type: '2' },
      role: [{ text: SECRET }],
    },
    { who: { reference: `Patient?name=${SECRET}` }, requestor: false, network: { address: SECRET, type: '1' } },
  ],
  source: { site: SECRET, observer: { display: SECRET } },
  entity: [
    { what: { reference: 'Patient/a', display: SECRET }, name: SECRET, description: SECRET, query: 'TmFtZQ==' },
    { what: { reference: 'Observation/b' }, detail: [{ type: SECRET, valueString: SECRET }] },
    { what: { reference: 'Observation/gone' } },
    { what: { reference: `Patient?name=${SECRET}` }, type: { code: SECRET } },
  ],
});
const RESOLUTION: Resolution = new Map([
  ['Patient/a', { token: 'pt_a', patientToken: 'pt_a', patient: 'Patient/source-a' }],
  ['Observation/b', { token: 'rs_b', patientToken: 'pt_c', patient: 'Patient/source-c' }],
]);

describe('what comes over', () => {
  test('nothing of its text, names or queries', () => {
    const text = JSON.stringify(map(talkative, RESOLUTION));
    expect(text).not.toContain('Jane');
    expect(text).not.toContain('TmFtZQ');
    expect(JSON.stringify(residueOf(talkative, systems, 'https://replica/'))).not.toContain('Jane');
  });

  test('records by token, patients by their reference in the source, all else as the replica calls it', () => {
    const what = map(talkative, RESOLUTION).entity?.map((entity) => entity.what);
    expect(what).toEqual([
      { reference: 'Patient/source-a', identifier: { system: systems.patientToken, value: 'pt_a' } },
      { identifier: { system: systems.resourceToken, value: 'rs_b' } },
      { identifier: { system: systems.replicaReference, value: 'Observation/gone' } },
      { reference: 'Patient/source-c', identifier: { system: systems.patientToken, value: 'pt_c' } },
      { identifier: { system: systems.organization, value: 'org_1' } },
      { identifier: { system: systems.replicaReference, value: `AuditEvent/${talkative.id}` } },
    ]);
  });

  test('who, from where, in which request, when it was committed', () => {
    const mirrored = map(talkative, RESOLUTION);
    expect(mirrored.agent).toEqual([
      {
        who: { identifier: { system: systems.replicaReference, value: 'Practitioner/p1' } },
        requestor: true,
        network: { address: '10.1.2.3', type: '2' },
      },
      { name: 'unknown', requestor: false },
    ]);
    expect(mirrored.entity?.at(-1)?.detail).toEqual([
      { type: 'committed', valueString: '2026-01-02T03:04:05.678Z' },
      { type: 'request', valueString: 'r-1' },
      { type: 'source', valueString: 'medplum' },
    ]);
    expect(mirrored.recorded).toBe(talkative.recorded);
    expect(mirrored.meta?.tag).toEqual([{ system: systems.mirrored, code: talkative.id }]);
  });

  test('as valid FHIR, whole or bare, resolved or not', () => {
    for (const event of [
      map(talkative, RESOLUTION),
      map(talkative),
      residueOf(talkative, systems, 'https://replica/'),
    ]) {
      expect(() => validateResource(event)).not.toThrow();
    }
  });
});

test('the organization is found in an extension, an entity or an agent', () => {
  expect(organizationsOf(talkative)).toEqual(['org_1']);
  expect(organizationsOf(replicaEvent(T0, { entity: [{ what: { reference: 'Organization/o2' } }] }))).toEqual(['o2']);
  expect(
    organizationsOf(replicaEvent(T0, { agent: [{ who: { reference: 'Organization/o3' }, requestor: true }] }))
  ).toEqual(['o3']);
  expect(organizationsOf(replicaEvent(T0))).toEqual([]);
});

test.each([
  ['FHIR_AUDIT_MIRROR', {}],
  ['FHIR_ADMIN', { requester: 'Practitioner/1', role: 'ADMIN' }],
  ['FHIR_RECONCILIATION', { fault: 'replica-unavailable' }],
  ['FHIR_EXPORT', { requester: 'Practitioner/1', refusal: 'consent-expired' }],
  ['FHIR_INGRESS', { details: {} }],
] as const)(
  'a run of %s is valid FHIR, with type, subtype, action, period, outcome, agents and correlation',
  (type, more) => {
    const event = runEventOf(
      {
        type,
        action: 'a-thing',
        correlationId: 'c1',
        bot: 'Bot/1',
        startedAt: T0,
        endedAt: T0 + 5,
        details: { count: 3 },
        ...more,
      },
      systems
    );
    expect(() => validateResource(event)).not.toThrow();
    expect(event).toMatchObject({
      type: { code: type },
      action: 'E',
      period: { start: '2026-01-02T03:04:05.678Z', end: '2026-01-02T03:04:05.683Z' },
      entity: [{ what: { identifier: { system: systems.correlation, value: 'c1' } } }],
    });
    expect(event.agent.filter(({ requestor }) => requestor)).toHaveLength(1);
  }
);
