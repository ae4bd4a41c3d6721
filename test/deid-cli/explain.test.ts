/** `--explain`: everything that is missing is explained, by closed reasons, and no value is said. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explain } from '../../scripts/deid/explain.ts';
import type { Drop } from '../../scripts/deid/explain.ts';
import { DROP_REASONS } from '../../scripts/deid/reasons.ts';
import { samplePatients } from '../../scripts/samples/patients.ts';
import type { Patient, Resource } from '@medplum/fhirtypes';
import { transform } from '../../src/rules/deid/deidentify.ts';
import type { DeidContext } from '../../src/rules/deid/deidentify.ts';
import { patientKeys } from '../../src/rules/deid/keys.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { AT, aPatient, anEncounter, anObservation, KEY } from '../rules/deid/support.ts';

function contextOf(patient: Patient): DeidContext {
  const keys = patientKeys(KEY, patient.id ?? '');
  return { keys, systems: systemsOf(), profile: 'pseudonymised', at: AT, patient, replicated: new Set() };
}

const why = (resource: unknown, patient = aPatient()): Record<string, string> =>
  Object.fromEntries(explain(resource as Resource, contextOf(patient)).map(({ path, reason }) => [path, reason]));

describe('reasons', () => {
  test('a Patient', () => {
    expect(
      why({ ...aPatient(), photo: [{ data: 'aGk=' }], text: { div: '<div>x</div>' }, meta: { versionId: '1' } })
    ).toMatchObject({
      id: 'identifier',
      name: 'direct-identifier',
      telecom: 'direct-identifier',
      'address[0]': 'direct-identifier',
      identifier: 'identifier',
      birthDate: 'generalised',
      photo: 'attachment',
      text: 'narrative',
      meta: 'metadata',
      'maritalStatus.text': 'label',
      'maritalStatus.coding[0].display': 'label',
    });
  });

  test('an Observation', () => {
    const observation = {
      ...anObservation(),
      code: {
        coding: [
          { system: 'http://loinc.org', code: '8867-4', version: '2.7' },
          { system: 'urn:local', code: 'HR' },
          { system: 'http://loinc.org', code: '8867-5' },
        ],
      },
      note: [{ text: 'x' }],
      performer: [{ reference: 'Practitioner/1' }],
      valueQuantity: { value: 3, unit: 'beats' },
      component: [{ code: { text: 'mine' }, valueString: 'x' }],
      extension: [{ url: 'http://x', valueString: 'x' }],
      contained: [{ resourceType: 'Patient' }],
      _status: { id: 'x' },
      'Ottoline Quillfeather': true,
    };
    expect(why(observation)).toMatchObject({
      'code.coding[0].version': 'coding-detail',
      'code.coding[1]': 'local-code-system',
      'code.coding[2]': 'unknown-code',
      note: 'free-text',
      performer: 'reference',
      'valueQuantity.unit': 'local-unit',
      'component[0]': 'incomplete',
      extension: 'extension',
      contained: 'contained',
      _status: 'extension',
      '*': 'unlisted-element',
    });
  });

  test('a value without a public code', () => {
    const code = { coding: [{ system: 'urn:local', code: 'x' }] };
    expect(why({ ...anObservation(), code, valueQuantity: { value: 3 } })).toMatchObject({
      valueQuantity: 'unsafe-value',
    });
  });
});

/** Every leaf of a resource, as a path with positions. */
function leaves(value: unknown, path = ''): { path: string; value: unknown }[] {
  if (typeof value !== 'object' || value === null) {
    return [{ path, value }];
  }
  return Object.entries(value).flatMap(([name, each]) =>
    leaves(each, Array.isArray(value) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`)
  );
}

const isBelow = (path: string, top: string): boolean =>
  path === top || path.startsWith(`${top}.`) || path.startsWith(`${top}[`);

describe('completeness', () => {
  const samples = samplePatients({ seed: 11, count: 3 });

  test('every leaf of the original is in the copy as often as it is not explained', () => {
    for (const bundle of samples) {
      const resources = (bundle.entry ?? []).flatMap(({ resource }) => resource ?? []);
      const context = contextOf(resources[0] as Patient);
      for (const resource of resources) {
        const drops = explain(resource, context);
        const copy = transform(resource, context) as object;
        expect(typeof copy).toBe('object');
        const inCopy = leaves(copy).map(({ path }) => path.replace(/\[\d+\]/g, ''));
        const kept = leaves(resource).filter(({ path }) => !drops.some((drop) => isBelow(path, drop.path)));
        for (const { path } of kept) {
          const plain = path.replace(/\[\d+\]/g, '');
          // A reference is in the copy as a token.
          const asToken = plain.replace(/\.reference$/, '.identifier.value');
          expect(inCopy.includes(plain) || inCopy.includes(asToken), `${resource.resourceType} ${path}`).toBe(true);
        }
      }
    }
  });

  test('whatever is put in, no value comes out', () => {
    const canary = fc.stringMatching(/^[a-z]{6}Zq[a-z]{6}$/);
    fc.assert(
      fc.property(canary, fc.constantFrom('key', 'value', 'deep'), (word, where) => {
        const put =
          where === 'key'
            ? { [word]: { [word]: word } }
            : where === 'value'
              ? { note: [{ text: word }] }
              : { component: [{ code: { coding: [{ system: word, code: word }], [word]: word } }] };
        const drops: Drop[] = explain({ ...anObservation(), ...put }, contextOf(aPatient()));
        expect(JSON.stringify(drops)).not.toContain(word);
        expect(drops.filter(({ reason }) => !(reason in DROP_REASONS))).toEqual([]);
      }),
      { numRuns: 50 }
    );
  });

  test('an Encounter with hostile shapes does not break it', () => {
    const strange = {
      ...anEncounter(),
      type: [null, 1, { coding: 'x' }],
      participant: {},
      location: [[]],
      period: null,
    };
    expect(why(strange)).toMatchObject({ 'type[0]': expect.any(String), 'location[0]': expect.any(String) });
  });
});
