import type { Consent, Resource } from '@medplum/fhirtypes';
import { validateResource } from '@medplum/core';
import { expect, test } from 'vitest';
import { loadDefinitions } from '../../../scripts/sandbox/definitions.ts';
import { specimen } from '../../../src/rules/consent/specimens.ts';
import { DATA_CLASSES } from '../../../src/fhir/data-classes.ts';
import { classify } from '../../../src/rules/consent/data-class.ts';
import { mayReplicate } from '../../../src/rules/consent/gate.ts';
import { consentOf, grantedBy, GRANTABLE, problemsOf, revokedFrom } from '../../../src/rules/consent/simple.ts';
import type { Grant } from '../../../src/rules/consent/simple.ts';
import { aConsent, aRequest, DATA_CLASS } from './builders.ts';

const AT = '2024-06-01T12:00:00Z';
const written = (grant: Partial<Grant> = {}): Consent => ({
  ...consentOf({ patient: 'Patient/1', at: '2024-01-01', ...grant }, DATA_CLASS),
  id: 'c1',
});
const said = (consent: Consent, resource: Resource, changes = {}): string =>
  mayReplicate([consent], aRequest({ resource, at: AT, ...changes })).reason;

test.each(DATA_CLASSES)('a specimen of %s is of that class', (name) => {
  expect(classify(specimen(name, '1', AT))).toEqual([name]);
});

test.each(GRANTABLE)('a grant of %s permits it and nothing else', (name) => {
  const permitted = DATA_CLASSES.filter(
    (one) => said(written({ classes: [name] }), specimen(one, '1', AT)) === 'root-permit'
  );
  expect(permitted).toEqual([name]);
});

test('a grant of everything is of everything but genetics', () => {
  const permitted = DATA_CLASSES.filter((one) => said(written(), specimen(one, '1', AT)) === 'root-permit');
  expect(permitted).toEqual(GRANTABLE);
});

test('until, purpose and recipient are conditions', () => {
  const resource = specimen('LAB_RESULTS', '1', AT);
  expect(said(written({ until: '2024-06-01' }), resource)).toBe('root-permit');
  expect(said(written({ until: '2024-05-31' }), resource)).toBe('period');
  expect(said(written({ purpose: 'HRESCH' }), resource)).toBe('purpose');
  expect(said(written({ purpose: 'HRESCH' }), resource, { purpose: 'BIORCH' })).toBe('root-permit');
  expect(said(written({ actors: ['Organization/A'] }), resource, { actor: ['Organization/A'] })).toBe('root-permit');
  expect(said(written({ actors: ['Organization/A'] }), resource, { actor: ['Organization/B'] })).toBe('actor');
});

test('what is written is a valid R4 Consent', () => {
  loadDefinitions();
  expect(validateResource(written({ until: '2030', actors: ['Organization/A'] }))).toEqual([]);
});

test('problems are told all at once', () => {
  expect(problemsOf({ patient: 'Patient/1' })).toEqual([]);
  const bad = { patient: 'Patient/1', classes: ['GENETICS', 'X'], until: 'soon', purpose: 'FUN', actors: ['somebody'] };
  expect(problemsOf(bad)).toHaveLength(5);
  expect(problemsOf({ patient: 'Patient/1', classes: [] })).toEqual(['no class of data is named']);
});

test('a class is taken back, then another, then the Consent is inactive', () => {
  const consent = written({ classes: ['LAB_RESULTS', 'VITAL_SIGNS'] });
  const narrowed = revokedFrom(consent, ['LAB_RESULTS']) as Consent;
  expect(grantedBy(narrowed, DATA_CLASS)).toEqual(['VITAL_SIGNS']);
  expect(revokedFrom(narrowed, ['LAB_RESULTS'])).toBeUndefined();
  expect(revokedFrom(narrowed, ['VITAL_SIGNS'])).toMatchObject({ status: 'inactive', provision: narrowed.provision });
  expect(revokedFrom(consent)).toMatchObject({ status: 'inactive' });
});

test('provisions of somebody’s own are not of the simple model', () => {
  expect(grantedBy(written(), DATA_CLASS)).toEqual(GRANTABLE);
  expect(grantedBy({ ...written(), status: 'inactive' }, DATA_CLASS)).toBeUndefined();
  expect(grantedBy(aConsent({ type: 'permit' }), DATA_CLASS)).toBeUndefined();
  expect(grantedBy(aConsent({ ...written().provision, provision: [{ type: 'deny' }] }), DATA_CLASS)).toBeUndefined();
  expect(grantedBy(aConsent({ ...written().provision, type: 'deny' }), DATA_CLASS)).toBeUndefined();
});
