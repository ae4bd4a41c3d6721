import type { Consent, Resource } from '@medplum/fhirtypes';
import { validateResource } from '@medplum/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { fromTemplates, permitAll } from '../../scripts/demo/consent.ts';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { mayReplicate } from '../../src/rules/consent/gate.ts';

beforeAll(loadDefinitions);

const AT = '2026-01-01T00:00:00.000Z';
const consent: Consent = { ...permitAll('Patient/p', AT), id: 'c' };
const decide = (resource: object): string =>
  mayReplicate([consent], {
    patient: 'Patient/p',
    purpose: 'TREAT',
    resource: resource as Resource,
    at: '2026-01-01T00:00:01.000Z',
    dataClassSystem: systemsOf().dataClass,
  }).decision;

const observation = (category: string, code: string): object => ({
  resourceType: 'Observation',
  status: 'final',
  category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: category }] }],
  code: { coding: [{ system: 'http://loinc.org', code }] },
  subject: { reference: 'Patient/p' },
});

describe('the Consent of `--consent all`', () => {
  test('is a valid R4 Consent', () => {
    expect(() => validateResource(consent)).not.toThrow();
  });

  test('permits patients, visits, vital signs and laboratory results', () => {
    expect(decide({ resourceType: 'Patient', id: 'p' })).toBe('permit');
    expect(
      decide({ resourceType: 'Encounter', status: 'finished', class: {}, subject: { reference: 'Patient/p' } })
    ).toBe('permit');
    expect(decide(observation('vital-signs', '8302-2'))).toBe('permit');
    expect(decide(observation('laboratory', '4548-4'))).toBe('permit');
  });

  test('does not permit genetics', () => {
    expect(decide(observation('laboratory', '81247-9'))).toBe('deny');
  });
});

describe('the Consents of a file', () => {
  const people = [
    { resourceType: 'Patient', id: 'a', identifier: [{ system: 'mrn', value: '1' }] },
    { resourceType: 'Patient', id: 'b' },
  ] as const;
  const resolve = (reference: string): string | undefined => (reference === 'urn:uuid:b' ? 'Patient/b' : undefined);
  const given = (patient: Consent['patient']): (string | undefined)[] =>
    fromTemplates(
      [{ ...consent, ...(patient && { patient }) }],
      people.map((person) => structuredClone(person) as never),
      resolve
    ).map((one) => one.patient?.reference);

  test('go to every patient when they name nobody here', () => {
    expect(given({ reference: 'Patient/example' })).toEqual(['Patient/a', 'Patient/b']);
  });

  test('go to the patient whom they name, by reference or identifier', () => {
    expect(given({ reference: 'urn:uuid:b' })).toEqual(['Patient/b']);
    expect(given({ identifier: { system: 'mrn', value: '1' } })).toEqual(['Patient/a']);
  });
});
