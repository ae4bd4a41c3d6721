import type { Consent, Observation, Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import type { Replicated } from '../../../src/config/policy.ts';
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
const consent = (id: string, versionId: string): Consent => ({
  resourceType: 'Consent',
  id,
  meta: { versionId },
  status: 'active',
  scope: {},
  category: [],
});

const facts: Facts = {
  patientId: 'p',
  patient,
  consents: [consent('c', '1')],
  isLinked: false,
  hints: [{ resourceType: 'Observation', id: 'o', encounterId: 'e' }],
  records: new Map<string, Replicated>([
    ['Patient/p', patient],
    ['Observation/o', observation],
  ]),
  earlier: [],
};

describe('the hint of a resource', () => {
  test('names its patient and Encounter', () => {
    expect(hintOf(observation)).toEqual({
      patientId: 'p',
      hint: { resourceType: 'Observation', id: 'o', encounterId: 'e' },
    });
  });
  test('of a Patient is itself', () => {
    expect(hintOf(patient)).toEqual({ patientId: 'p', hint: { resourceType: 'Patient', id: 'p' } });
  });
  test.each([
    { reference: 'Group/g' },
    { reference: 'https://elsewhere/fhir/Patient/p' },
    { reference: 'Patient?identifier=a|b' },
    { display: 'Jane' },
  ])('has no patient for the subject %j', (subject) => {
    expect(hintOf({ ...observation, subject }).patientId).toBeUndefined();
  });
});

describe('the fingerprint of facts', () => {
  test('is the same for the same versions, in whatever order Consents come', () => {
    const a = { ...facts, consents: [consent('c', '1'), consent('d', '2')] };
    const b = { ...facts, consents: [consent('d', '2'), consent('c', '1')] };
    expect(fingerprintOf(a)).toBe(fingerprintOf(b));
  });
  const withRecords = (...more: readonly [string, Replicated][]): Facts => ({
    ...facts,
    records: new Map([...facts.records, ...more]),
  });
  test.each<[string, Facts]>([
    ['the record', withRecords(['Observation/o', { ...observation, meta: { versionId: '2' } }])],
    ['the record being deleted', { ...facts, records: new Map([['Patient/p', patient]]) }],
    ['the Patient', withRecords(['Patient/p', { ...patient, meta: { versionId: '2' } }])],
    ['a Consent', { ...facts, consents: [consent('c', '2')] }],
    ['one more Consent', { ...facts, consents: [consent('c', '1'), consent('d', '1')] }],
    [
      'the Encounter',
      withRecords([
        'Encounter/e',
        { resourceType: 'Encounter', id: 'e', meta: { versionId: '1' }, status: 'finished', class: {} },
      ]),
    ],
  ])('changes with %s', (_name, changed) => {
    expect(fingerprintOf(changed)).not.toBe(fingerprintOf(facts));
  });
});
