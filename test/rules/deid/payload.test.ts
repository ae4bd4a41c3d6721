/** The pointer to an encrypted original: the one extension that a copy may have, under its own token alone. */
import type { Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { transform } from '../../../src/rules/deid/deidentify.ts';
import { residue } from '../../../src/rules/deid/residue.ts';
import { factsOf } from '../../../src/rules/deid/sweep.ts';
import type { Draft } from '../../../src/rules/deid/walk.ts';
import { aContext, anEncounter, anObservation, aPatient, copyOf, SYSTEMS } from './support.ts';

const context = aContext({ hasOriginal: true });
const { patientToken } = context.keys;
const url = `${SYSTEMS.namespace}/encrypted-payload`;
const pointer = { url, valueUri: `${SYSTEMS.namespace}/payload/${patientToken}` };

describe('a copy whose original is kept', () => {
  test('says so by a URI that its token gives', () => {
    expect(copyOf<Patient>(aPatient(), context).extension).toEqual([pointer]);
  });

  test.each([anEncounter(), anObservation()])('$resourceType, under its own token', (resource) => {
    const copy = copyOf(resource, context) as { identifier?: { value?: string }[]; extension?: unknown };
    expect(copy.extension).toEqual([{ url, valueUri: `${SYSTEMS.namespace}/payload/${copy.identifier?.[0]?.value}` }]);
  });

  test('is another copy, by digest', () => {
    const tags = [context, aContext()].map((each) => copyOf(aPatient(), each).meta?.tag?.[0]?.code);
    expect(tags[0]).not.toBe(tags[1]);
  });

  test('nothing says so of others', () => expect(copyOf(aPatient()).extension).toBeUndefined());
});

describe('residue finds', () => {
  const source = aPatient();
  const evidence = { ...context, source, facts: factsOf(source) };
  const made = transform(source, context) as Draft;

  test('nothing in what is made', () => expect(residue(made, evidence)).toBeUndefined());

  test.each<[string, Draft]>([
    ['another token', { ...made, extension: [{ ...pointer, valueUri: pointer.valueUri.replace(/.$/, 'z') }] }],
    ['an id of the source', { ...made, extension: [{ ...pointer, valueUri: `Binary/${String(source.id)}` }] }],
    ['another extension', { ...made, extension: [{ ...pointer, url: 'urn:x' }] }],
    ['a second extension', { ...made, extension: [pointer, pointer] }],
    ['more in it', { ...made, extension: [{ ...pointer, id: 'x' }] }],
    ['the pointer further down', { ...made, maritalStatus: { extension: [pointer] } }],
  ])('%s', (_name, draft) => expect(residue(draft, evidence)).toBe('residue-element'));
});
