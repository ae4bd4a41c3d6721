import type { Condition, Patient, Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { renameBy } from '../../../src/flows/research/names.ts';
import { cellOf, quasiIdentifiersOf, studied } from '../../../src/rules/research/study.ts';

const rename = renameBy('3d'.repeat(32));
const patient: Patient = {
  resourceType: 'Patient',
  id: 'p1',
  meta: {
    lastUpdated: '2026-01-02T03:04:05Z',
    versionId: '7',
    security: [{ code: 'PSEUDED' }],
    tag: [{ code: 'digest' }],
  },
  identifier: [{ system: 'urn:t', value: 'pt_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx' }],
  name: [{ text: 'Patient [BCD]' }],
  gender: 'female',
  birthDate: '1950',
  deceasedDateTime: '2020-11-03T10:23:55Z',
  address: [{ state: 'MA', postalCode: '021', country: 'US' }],
  maritalStatus: { coding: [{ code: 'M' }] },
  communication: [{ language: { coding: [{ code: 'en-US' }] } }],
};

describe('of a Patient', () => {
  test('nothing is shown but what is counted, and a death without its date', () => {
    expect(studied(patient, rename)).toEqual({
      resourceType: 'Patient',
      id: rename('Patient/p1'),
      meta: { security: [{ code: 'PSEUDED' }] },
      gender: 'female',
      birthDate: '1950',
      deceasedBoolean: true,
      address: [{ state: 'MA', postalCode: '021', country: 'US' }],
    });
  });
  test('whatever differs in it makes another cell', () => {
    const cells = [
      patient,
      { ...patient, gender: 'male' },
      { ...patient, birthDate: '1955' },
      { ...patient, deceasedDateTime: undefined },
      { ...patient, address: [{ state: 'MA', postalCode: '022', country: 'US' }] },
    ].map((one) => cellOf(one as Resource));
    expect(new Set(cells).size).toBe(5);
  });
  test('whatever is not shown does not', () => {
    expect(cellOf({ ...patient, id: 'p2', deceasedDateTime: '2021', maritalStatus: {}, communication: [] })).toBe(
      cellOf(patient)
    );
    expect(Object.keys(quasiIdentifiersOf({ resourceType: 'Patient', deceasedBoolean: false }))).toEqual([]);
  });
});

test('of a record, ids, references and tokens have the names of this export', () => {
  const token = 'cnd_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx';
  const condition = {
    resourceType: 'Condition',
    id: 'c1',
    meta: { lastUpdated: '2026-01-02T03:04:05Z', tag: [{ code: 'digest' }] },
    identifier: [{ system: 'urn:t', value: token }],
    code: { coding: [{ system: 'http://snomed.info/sct', code: '44054006' }] },
    subject: { reference: 'Patient/p1', display: '***' },
    asserter: { identifier: { system: 'urn:t', value: token } },
    onsetDateTime: '2020-01-01',
  } as Condition;
  const shown = studied(condition, rename) as Condition;
  expect(shown).toEqual({
    resourceType: 'Condition',
    id: rename('Condition/c1'),
    identifier: [{ system: 'urn:t', value: rename(token) }],
    code: condition.code,
    subject: { reference: `Patient/${rename('Patient/p1')}` },
    asserter: { identifier: { system: 'urn:t', value: rename(token) } },
    onsetDateTime: '2020-01-01',
  });
  expect(JSON.stringify(studied(condition, renameBy('4e'.repeat(32))))).not.toContain(rename('Condition/c1'));
});
