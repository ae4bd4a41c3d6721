/** What is an accountable disclosure, and whose. */
import type { AuditEvent } from '@medplum/fhirtypes';
import { expect, test } from 'vitest';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { reported, rowsOf } from '../../../src/flows/audit/report.ts';
import { configOf } from './kit.ts';

const systems = systemsOf();
const read = (who: string, patient: string, more: Partial<AuditEvent> = {}): AuditEvent => ({
  resourceType: 'AuditEvent',
  id: `${who}-${patient}`,
  meta: { lastUpdated: '2026-01-02T03:04:05.678Z' },
  type: { system: systems.auditType, code: 'FHIR_READ' },
  recorded: '2026-01-02T03:04:05.678Z',
  outcome: '0',
  agent: [{ requestor: true, who: { identifier: { system: systems.replicaReference, value: who } } }],
  source: { observer: { reference: 'Bot/1' } },
  entity: [{ what: { reference: patient }, type: { code: '1' }, role: { code: '1' } }],
  ...more,
});

test('what our own client reads on the replica is no disclosure; what others read is', () => {
  const events = [read('ClientApplication/sync-client', 'Patient/a'), read('ClientApplication/partner', 'Patient/a')];
  expect(rowsOf('disclosures', events, configOf()).map(({ who }) => who)).toEqual(['ClientApplication/partner']);
});

test('what was refused or has failed is none', () => {
  const events = (['4', '8'] as const).map((outcome) => read('ClientApplication/partner', 'Patient/a', { outcome }));
  expect(rowsOf('disclosures', events, configOf())).toEqual([]);
});

test('of archived events those belong to a report that are of its types, its time and its patient', () => {
  const events = [
    read('ClientApplication/x', 'Patient/a'),
    read('ClientApplication/x', 'Patient/b'),
    read('ClientApplication/old', 'Patient/a', { meta: { lastUpdated: '2025-01-01T00:00:00.000Z' } }),
    read('ClientApplication/y', 'Patient/a', { type: { system: systems.auditType, code: 'FHIR_ADMIN' } }),
  ];
  const since = '2026-01-01T00:00:00.000Z';
  const ids = (of: readonly AuditEvent[]): unknown[] => of.map(({ id }) => id);
  expect(ids(reported('disclosures', events, since, 'Patient/a'))).toEqual(['ClientApplication/x-Patient/a']);
  expect(ids(reported('disclosures', events, since))).toHaveLength(2);
});
