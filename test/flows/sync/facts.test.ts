import type { Consent, Observation, Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { fingerprintOf, hintOf } from '../../../src/flows/sync/facts.ts';
import type { Facts } from '../../../src/flows/sync/facts.ts';

const observation: Observation = {
  resourceType: 'Observation',
  id: 'o',
  meta: { versionId: '1' },
  status: 'final',
  code: {},
  subject: { reference: 'Patient/p' },
  encounter: { reference: 'Encounter/e' },
};
const patient: Patient = { resourceType: 'Patient', id: 'p', meta: { versionId: '1' } };
const consent = (id: string, versionId: string): Consent => ({ resourceType: 'Consent', id, meta: { versionId }, status: 'active', scope: {}, category: [] });

const facts: Facts = {
  patientId: 'p',
  patient,
  consents: [consent('c', '1')],
  isLinked: false,
  hints: [{ resourceType: 'Observation', id: 'o' }],
  records: new Map([['Observation/o', observation]]),
  encounters: new Map(),
};

describe('the hint of a resource', () => {
  test('names its patient and Encounter', () => {
    expect(hintOf(observation)).toEqual({ patientId: 'p', hint: { resourceType: 'Observation', id: 'o', encounterId: 'e' } });
  });
  test('of a Patient is itself', () => {
    expect(hintOf(patient)).toEqual({ patientId: 'p', hint: { resourceType: 'Patient', id: 'p' } });
  });
  test.each([{ reference: 'Group/g' }, { reference: 'https://elsewhere/fhir/Patient/p' }, { reference: 'Patient?identifier=a|b' }, { display: 'Jane' }])(
    'has no patient for the subject %j',
    (subject) => {
      expect(hintOf({ ...observation, subject } as Observation).patientId).toBeUndefined();
    }
  );
});

describe('the fingerprint of facts', () => {
  test('is the same for the same versions, in whatever order Consents come', () => {
    const a = { ...facts, consents: [consent('c', '1'), consent('d', '2')] };
    const b = { ...facts, consents: [consent('d', '2'), consent('c', '1')] };
    expect(fingerprintOf(a)).toBe(fingerprintOf(b));
  });
  test.each<[string, Partial<Facts>]>([
    ['the record', { records: new Map([['Observation/o', { ...observation, meta: { versionId: '2' } }]]) }],
    ['the record being deleted', { records: new Map() }],
    ['the Patient', { patient: { ...patient, meta: { versionId: '2' } } }],
    ['a Consent', { consents: [consent('c', '2')] }],
    ['one more Consent', { consents: [consent('c', '1'), consent('d', '1')] }],
    ['an Encounter', { encounters: new Map([['e', { resourceType: 'Encounter', id: 'e', meta: { versionId: '1' }, status: 'finished', class: {} }]]) }],
  ])('changes with %s', (_name, change) => {
    expect(fingerprintOf({ ...facts, ...change })).not.toBe(fingerprintOf(facts));
  });
});
