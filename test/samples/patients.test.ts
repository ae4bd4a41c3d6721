import { validateResource } from '@medplum/core';
import type { Patient } from '@medplum/fhirtypes';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import { samplePatients } from '../../scripts/samples/patients.ts';

beforeAll(loadDefinitions);
afterEach(() => {
  vi.useRealTimers();
});

const series = samplePatients({ seed: 11, count: 5 });
const people = series.map((bundle) => bundle.entry?.[0]?.resource as Patient);

describe('sample patients', () => {
  test('are the same for a seed, whatever the time is, and others for another seed', () => {
    vi.useFakeTimers({ now: new Date('2031-05-05') });
    expect(samplePatients({ seed: 11, count: 5 })).toEqual(series);
    expect(samplePatients({ seed: 12, count: 5 })).not.toEqual(series);
  });

  test('do not depend on how many follow', () => {
    expect(samplePatients({ seed: 11, count: 2 })).toEqual(series.slice(0, 2));
  });

  test('are valid R4, every resource of them', () => {
    const resources = series.flatMap(({ entry }) => entry?.flatMap(({ resource }) => resource ?? []) ?? []);
    expect(resources.length).toBe(5 * (1 + 2 * 8 + 9));
    for (const resource of resources) {
      expect(() => validateResource(resource)).not.toThrow();
    }
  });

  test('refer to each other as Synthea’s do, and to nothing else', () => {
    for (const bundle of series) {
      const addresses = new Set(bundle.entry?.map(({ fullUrl }) => fullUrl));
      const references = [...JSON.stringify(bundle).matchAll(/"reference":"([^"]*)"/g)].map(
        ([, reference]) => reference
      );
      expect(references.length).toBeGreaterThan(10);
      expect(references.filter((reference) => !addresses.has(reference))).toEqual([]);
    }
  });

  test('include whom de-identification trips over', () => {
    const years = people.map(({ birthDate = '' }) => 2026 - Number(birthDate.slice(0, 4)));
    expect(years.filter((age) => age >= 90)).toHaveLength(1);
    expect(people.filter(({ deceasedDateTime }) => deceasedDateTime)).toHaveLength(1);
    expect(people.filter(({ name }) => /[^ -~]/.test(name?.[0]?.text ?? ''))).toHaveLength(1);
    expect(['Payne', 'Blood', 'Hart', 'Stone', 'Field']).toContain(people[3]?.name?.[0]?.family);
  });
});
