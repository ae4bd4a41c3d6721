import type { Bundle, Patient } from '@medplum/fhirtypes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { permitAll } from '../../scripts/demo/consent.ts';
import { referencesOf } from '../../scripts/demo/flaws.ts';
import { identifyingStrings } from '../../scripts/samples/identifying.ts';
import { leaksIn } from '../../scripts/samples/leaks.ts';
import { samplePatients } from '../../scripts/samples/patients.ts';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { fileOf, runDemo, tidy } from './kit.ts';
import type { Ran } from './kit.ts';

afterAll(tidy);

const bundles = samplePatients({ seed: 21, count: 3, visits: 1 });
/** Children before parents: the order of an input means nothing. */
const backwards = bundles.map((bundle): Bundle => ({ ...bundle, entry: bundle.entry?.toReversed() ?? [] }));

describe('a demo with consent', () => {
  let ran: Ran;
  beforeAll(async () => {
    ran = await runDemo(backwards);
  });

  test('ends well, and has told so', () => {
    expect(ran.report.problems).toEqual([]);
    expect(ran.exitCode).toBe(0);
    expect(ran.text).toContain('withheld by policy');
  });

  test('has copied every patient, visit, finding and what followed', () => {
    const { Patient: patient, Encounter: encounter, Observation: observation } = ran.report.types;
    expect(patient).toMatchObject({ inSource: 3, replicated: 3 });
    expect(encounter).toMatchObject({ inSource: 3, replicated: 3 });
    expect(observation).toMatchObject({ inSource: 21, replicated: 21 });
    for (const type of REPLICATED_TYPES.filter((each) => !['Patient', 'Encounter', 'Observation'].includes(each))) {
      expect({ type, ...ran.report.types[type] }).toMatchObject({ type, inSource: 3, replicated: 3 });
    }
    expect(ran.copies()).toHaveLength(27 + 3 * 9);
  });

  test('has copies whose references lead to copies', () => {
    const copies = ran.copies();
    const addresses = new Set(copies.map(({ resourceType, id }) => `${resourceType}/${id}`));
    const references = copies.flatMap(referencesOf);
    // Six of the nine other types refer to the Encounter as well, three only name it by its token.
    expect(references.length).toBe(3 + 2 * 21 + 3 * (9 + 6));
    expect(references.filter((reference) => !addresses.has(reference))).toEqual([]);
  });

  test('took four requests for each copy that an event brought over', () => {
    expect(ran.report.requests.perReplicatedResource.eventPath).toBe(4);
  });

  test('says nothing that identifies anybody, in any file', () => {
    const strings = bundles.flatMap(identifyingStrings);
    expect(strings.length).toBeGreaterThan(100);
    for (const [name, lines] of ran.files()) {
      expect({ name, leaks: leaksIn(lines, strings).slice(0, 3) }).toEqual({ name, leaks: [] });
    }
  });

  test('would be caught if it did', () => {
    const strings = bundles.flatMap(identifyingStrings);
    const family = (bundles[2]?.entry?.[0]?.resource as Patient).name?.[0]?.family ?? '';
    for (const [name, lines] of ran.files()) {
      const planted = lines.map((line, index) =>
        index === 0 ? `${line.slice(0, -1)},"x":${JSON.stringify(family)}}` : line
      );
      const isObject = lines[0]?.endsWith('}');
      expect({ name, found: isObject ? leaksIn(planted, strings).length > 0 : true }).toEqual({ name, found: true });
    }
  });

  test('has kept the credentials out of the wire', () => {
    const lines = ran.lines('wire.ndjson').join('\n');
    expect(lines).toContain('"authorization":"<redacted>"');
    expect(lines).not.toMatch(/Bearer|Basic /);
  });
});

describe('a demo without consent', () => {
  test('sends nothing to the replica', async () => {
    const ran = await runDemo(backwards.slice(0, 1), { consent: 'none' });
    expect(ran.exitCode).toBe(0);
    expect(ran.sent()).toEqual([]);
    expect(ran.copies()).toEqual([]);
    expect(ran.report.types['Patient']).toMatchObject({ inSource: 1, replicated: 0, withheldByConsent: 1 });
    expect(ran.report.types['Encounter']).toMatchObject({ inSource: 1, withheldByConsent: 1 });
  });

  test('leaves out the Consents of the input', async () => {
    const [bundle] = bundles;
    const consent = { ...permitAll(bundle?.entry?.[0]?.fullUrl ?? '', '2020-01-01T00:00:00Z'), id: 'c' };
    const ran = await runDemo([{ ...bundle, entry: [...(bundle?.entry ?? []), { resource: consent }] } as Bundle], {
      consent: 'none',
    });
    expect(ran.report.input.leftOut).toBe(1);
    expect(ran.sent()).toEqual([]);
  });
});

describe('a demo with the user’s own Consents', () => {
  test('gives each patient what was meant for that patient', async () => {
    const inputs = bundles.slice(0, 2);
    const [one, two] = inputs.map((bundle) => bundle.entry?.[0]?.fullUrl ?? '');
    const permit = permitAll(one ?? '', '2020-01-01T00:00:00Z');
    const deny = { ...permit, patient: { reference: two ?? '' }, provision: { type: 'deny' as const } };
    const ran = await runDemo(inputs, { consent: { file: fileOf([permit, deny]) } });
    expect(ran.report.types['Patient']).toMatchObject({ inSource: 2, replicated: 1, withheldByConsent: 1 });
    expect(ran.report.types['Consent']).toMatchObject({ inSource: 2 });
  });
});

test('with --profile safe-harbor the copies hold years, and nothing of the patients', async () => {
  const ran = await runDemo(backwards, { profile: 'safe-harbor' });
  expect(ran.report.problems).toEqual([]);
  expect(ran.exitCode).toBe(0);
  expect(ran.copies().length).toBeGreaterThan(bundles.length);
  const texts = ran.sent().map(({ url, body }) => `${url} ${JSON.stringify(body)}`);
  expect(texts.join()).not.toMatch(/\b(19|20)\d\d-\d\d/);
  expect(leaksIn(texts, bundles.flatMap(identifyingStrings))).toEqual([]);
});
