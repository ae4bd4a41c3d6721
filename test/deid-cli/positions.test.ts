/** Every position of the element table through the command, as somebody would judge it from outside. */
import { validateResource } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import type { Profile } from '../../src/rules/deid/deidentify.ts';
import { positions, canariesFor, recordWith, snomed, usefulFor } from './positions.ts';
import type { Probe } from './positions.ts';
import { ndjson, preview } from './kit.ts';
import type { Ran } from './kit.ts';

const PATIENT = { resourceType: 'Patient', id: 'p1', name: [{ family: 'Quill' }], birthDate: '1961-05-05' };
const all = positions();

type Line = Ran['lines'][number];

async function run(profile: Profile, records: readonly object[]): Promise<readonly Line[]> {
  const { lines } = await preview([ndjson(PATIENT, ...records)], { profile });
  return lines.slice(1);
}

/** Paths of the probes whose canary is, or is not, in the copy. */
function where(probes: readonly Probe[], lines: readonly Line[], isThere: boolean): string[] {
  return probes
    .filter(({ canary }, i) => JSON.stringify(lines[i]?.resource ?? '').includes(canary) === isThere)
    .map(({ path }) => path);
}

beforeAll(loadDefinitions);

it('has the positions that it says', () => {
  expect(all).toHaveLength(5060);
  expect(all.filter(({ isUseful, type }) => isUseful && type === 'code')).toHaveLength(119);
  expect(all.filter(({ isUseful, type }) => isUseful && type !== 'code')).toHaveLength(14);
});

describe.each(['pseudonymised', 'safe-harbor'] as const)('under %s', (profile) => {
  it('lets out none of the canaries at positions that identify, hold text, link or tell a date', async () => {
    const probes = canariesFor(all).filter(({ kind }) => kind !== 'none' && kind !== 'quasi');
    expect(probes.length).toBeGreaterThan(3000);
    const lines = await run(
      profile,
      probes.map(({ resource }) => resource)
    );
    const numbers = (path: string): boolean => probes.some((each) => each.path === path && each.type === 'boolean');
    expect(where(probes, lines, true).filter((path) => !numbers(path))).toEqual([]);
  });

  it.each(['all siblings that R4 requires', 'nothing beside it'])(
    'keeps each code and number that may leave, with %s',
    async (beside) => {
      const isBare = beside === 'nothing beside it';
      // Without its code nobody knows what a component is about.
      const probes = usefulFor(all, isBare).filter(
        ({ path }) => !isBare || !path.startsWith('Observation.component.value')
      );
      const lines = await run(
        profile,
        probes.map(({ resource }) => resource)
      );
      expect(where(probes, lines, false)).toEqual([]);
      const isValid = (resource: unknown): boolean => !problemOf(resource);
      const broken = probes
        .map(({ resource, path }, i) => (isValid(resource) ? `${path} ${problemOf(lines[i]?.resource) ?? ''}` : ''))
        .filter((line) => !/^$|^\S+ $/.test(line));
      expect(broken).toEqual([]);
    }
  );

  it('keeps them when all of a type stand in one record, where R4 allows them beside each other', async () => {
    const probes = usefulFor(all);
    const types = [...new Set(probes.map(({ path }) => path.split('.')[0] ?? ''))];
    const whole = types.map((type) =>
      probes.filter(({ path }) => path.startsWith(`${type}.`)).reduce((sum, { resource }) => merged(sum, resource), {})
    );
    const lines = await run(profile, whole);
    const text = JSON.stringify(lines);
    const lost = probes.filter(
      ({ canary, path }) =>
        !text.includes(canary) &&
        !/\[x\]|[a-z](CodeableConcept|Integer|Range|Ratio|SampledData|Quantity|Timing)\b/.test(path)
    );
    expect(lost.map(({ path }) => path)).toEqual(['Observation.dataAbsentReason.coding.code']); // obs-6: none beside a value
  });
});

/** What R4 has against a record, its constraints included. */
function problemOf(resource: unknown): string | undefined {
  try {
    validateResource(resource as Resource);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Two records in one; of a list, the items of both. */
function merged(a: unknown, b: unknown): object {
  const out: Record<string, unknown> = { ...(a as object) };
  for (const [name, value] of Object.entries(b as object)) {
    const own = out[name];
    if (Array.isArray(own) && Array.isArray(value)) out[name] = [...(own as unknown[]), ...(value as unknown[])];
    else if (typeof own === 'object' && typeof value === 'object' && own !== null) out[name] = merged(own, value);
    else out[name] ??= value;
  }
  return out;
}

it('makes codes whose check digit others compute as well', () => {
  // Concepts of the international release.
  for (const known of ['73211009', '22298006', '195967001']) {
    const item = known.slice(0, -3);
    expect(snomed(Number(item) - 700_000)).toBe(known);
  }
  expect(recordWith({ path: 'Patient.invented', type: 'string', kind: 'none', isUseful: false }, 'x')).toBeUndefined();
});
