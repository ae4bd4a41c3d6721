/** The two named profiles: what each is, what narrows them, and what time does to a copy. */
import { readFileSync } from 'node:fs';
import type { Patient } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyProblems } from '../../../scripts/build/policy-problems.ts';
import { masked } from '../../../src/rules/deid/codings.ts';
import type { DeidContext } from '../../../src/rules/deid/deidentify.ts';
import { deidentify, transform } from '../../../src/rules/deid/deidentify.ts';
import { crosswalkKeys, patientKeys } from '../../../src/rules/deid/keys.ts';
import { placeOf } from '../../../src/rules/deid/place.ts';
import { policyVersion } from '../../../src/rules/deid/policy-version.ts';
import { residue } from '../../../src/rules/deid/residue.ts';
import { factsOf } from '../../../src/rules/deid/sweep.ts';
import { ZIP3_RUNS } from '../../../src/rules/deid/zip3.ts';
import { RICH } from './rich.ts';
import {
  aContext,
  anEncounter,
  anObservation,
  aPatient,
  AT,
  BASES,
  copyOf,
  CROSSWALK,
  KEY,
  stringsOf,
  SYSTEMS,
} from './support.ts';

const ID = String(aPatient().id);

function safeHarbor(overrides: Partial<DeidContext> = {}): DeidContext {
  return aContext({ profile: 'safe-harbor', keys: crosswalkKeys(CROSSWALK, ID), ...overrides });
}

describe('safe-harbor (45 CFR 164.514(b)(2))', () => {
  it.each(Object.keys(RICH))('tells no date of a %s finer than the year', (type) => {
    const copy = copyOf(RICH[type] as never, safeHarbor());
    expect(stringsOf(copy).filter((text) => /^\d{4}-\d\d/.test(text))).toEqual([]);
  });

  it('tells the year itself, not a shifted one', () => {
    expect(copyOf(anEncounter(), safeHarbor()).period).toEqual({ start: '2019', end: '2019' });
    expect(copyOf(aPatient(), safeHarbor()).birthDate).toBe('1971');
    expect(copyOf(anObservation(), safeHarbor())).not.toHaveProperty('issued');
  });

  const placed = (address: object): unknown => {
    const patient = aPatient({ address: [address] });
    return copyOf(patient, safeHarbor({ patient })).address;
  };

  it.each([
    [
      { postalCode: '02149', state: 'Massachusetts', country: 'US' },
      { state: 'MA', postalCode: '021', country: 'US' },
    ],
    [
      { postalCode: '021491234', state: 'ma' },
      { state: 'MA', postalCode: '021', country: 'US' },
    ],
    [{ postalCode: '82301' }, { postalCode: '000', country: 'US' }], // 20,000 people or fewer
    [{ postalCode: '09012' }, { postalCode: '000', country: 'US' }], // military mail: nobody lives there
    [
      { postalCode: '20212', state: 'District of Columbia' },
      { state: 'DC', postalCode: '000', country: 'US' },
    ],
    [{ state: 'Everett, MA' }, undefined],
    [{ postalCode: 'SW1A 2AA', country: 'GB' }, undefined],
    [{ postalCode: '3999', country: 'AU', state: 'Victoria' }, undefined],
    [{ postalCode: '02149', country: 'Quillfeather' }, undefined],
    [{ postalCode: 'x02149' }, undefined],
    [{}, undefined],
  ])('makes of the address %j the place %j', (address, place) => {
    expect(placed({ line: ['12 Larkspur Crescent'], city: 'Everett', district: 'Middlesex', ...address })).toEqual(
      place && [place]
    );
  });

  it('knows 876 prefixes, and none of those that the Census of 2010 finds small', () => {
    const known = ZIP3_RUNS.split('|').flatMap((run) => {
      const [first = '', last = first] = run.split('-');
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
    });
    expect(known).toHaveLength(876);
    const small = '036 059 102 202 203 204 205 369 556 692 753 772 821 823 878 879 884 893 000 001 004 090 098';
    for (const zip of small.split(' ')) expect(placeOf([{ postalCode: `${zip}01` }])?.postalCode).toBe('000');
  });

  it('tells no year that shows an age over 89', () => {
    const patient = aPatient({ birthDate: '1930-05-05' });
    const context = safeHarbor({ patient });
    const shot = (occurrenceDateTime: string): object =>
      copyOf({ ...BASES['Immunization']?.(), occurrenceDateTime } as never, context);
    expect(shot('1931-06-01')).toMatchObject({ _occurrenceDateTime: masked() });
    expect(shot('1931-06-01')).not.toHaveProperty('occurrenceDateTime');
    expect(shot('1936')).not.toHaveProperty('occurrenceDateTime');
    expect(shot('1937-01-01')).toMatchObject({ occurrenceDateTime: '1937' });
  });

  it('tells the same years of somebody who is younger, or who died younger', () => {
    for (const patient of [
      aPatient({ birthDate: '1937-05-05' }),
      aPatient({ birthDate: '1900-01-01', deceasedDateTime: '1960-01-01' }),
    ]) {
      expect(copyOf(anEncounter({ period: { start: '1937-06-01' } }), safeHarbor({ patient })).period).toEqual({
        start: '1937',
      });
    }
  });

  it('does not tell old years of somebody whose age is not known', () => {
    const { birthDate: _, ...patient } = aPatient();
    const context = safeHarbor({ patient });
    expect(copyOf(anEncounter({ period: { start: '1930-06-01', end: '2019-01-01' } }), context).period).toEqual({
      end: '2019',
    });
  });

  it('takes its codes from a random secret of the patient alone', () => {
    const keys = crosswalkKeys(CROSSWALK, ID);
    expect(keys.patientToken).toBe(crosswalkKeys(CROSSWALK, ID).patientToken);
    expect(crosswalkKeys(CROSSWALK.replace('2', '3'), ID).patientToken).not.toBe(keys.patientToken);
    expect(patientKeys({ version: 0, secret: CROSSWALK }, ID).patientToken).not.toBe(keys.patientToken);
    expect(() => crosswalkKeys('short', ID)).toThrow('deid key refused: short');
  });

  describe('residue finds, were the transform wrong:', () => {
    const check = (source: object, bug: object, at = AT): unknown => {
      const context = safeHarbor();
      const draft = { ...(transform(source as never, context) as object), ...bug };
      const { keys, systems, profile } = context;
      return residue(draft, {
        keys,
        systems,
        profile,
        at,
        source: source as never,
        facts: factsOf(aPatient()),
      });
    };

    it.each<[string, object, object, string | undefined]>([
      ['nothing', anEncounter(), {}, undefined],
      ['a day', anEncounter(), { period: { start: '2019-02-03' } }, 'residue-date'],
      ['a month', anEncounter(), { period: { start: '2019-02' } }, 'residue-date'],
      ['a year of another element', anEncounter(), { period: { start: '1999' } }, 'residue-date'],
      ['a shifted year', anEncounter(), { period: { start: '2020' } }, 'residue-date'],
      ['another birth year', aPatient(), { birthDate: '1970' }, 'residue-date'],
      ['the place', aPatient(), { address: [{ state: 'MA', postalCode: '021', country: 'US' }] }, undefined],
      ['a ZIP', aPatient(), { address: [{ postalCode: '02149' }] }, 'residue-element'],
      ['a ZIP3 of elsewhere', aPatient(), { address: [{ postalCode: '100' }] }, 'residue-element'],
      ['a city', aPatient(), { address: [{ city: 'Everett' }] }, 'residue-element'],
      ['a state in words', aPatient(), { address: [{ state: 'Everett' }] }, 'residue-element'],
      ['two places', aPatient(), { address: [{ state: 'MA' }, { state: 'NH' }] }, 'residue-element'],
      ['a place on an Encounter', anEncounter(), { address: [{ postalCode: '021' }] }, 'residue-element'],
    ])('%s', (_name, source, bug, hit) => {
      expect(check(source, bug)).toBe(hit);
    });

    it('a small ZIP3, though it is the patient’s', () => {
      const patient = aPatient({ address: [{ postalCode: '82301' }] });
      expect(check(patient, { address: [{ postalCode: '823' }] })).toBe('residue-element');
    });

    it('the birth year of somebody who is ninety by now', () => {
      expect(check(aPatient(), {}, '2061-12-31T00:00:00Z')).toBeUndefined();
      expect(check(aPatient(), {}, '2062-01-01T00:00:00Z')).toBe('residue-date');
    });
  });
});

describe('pseudonymised', () => {
  it('tells no place', () => expect(copyOf(aPatient())).not.toHaveProperty('address'));

  it('residue refuses a place', () => {
    const { keys, systems, profile, at } = aContext();
    const draft = { ...(transform(aPatient(), aContext()) as object), address: [{ state: 'MA' }] };
    expect(residue(draft, { keys, systems, profile, at, source: aPatient(), facts: factsOf(aPatient()) })).toBe(
      'residue-element'
    );
  });

  it('keeps every interval between instants of a patient', () => {
    const instant = fc
      .integer({ min: Date.UTC(1950, 0), max: Date.UTC(2025, 0) })
      .map((ms) => new Date(ms - (ms % 1000)).toISOString());
    fc.assert(
      fc.property(instant, instant, fc.uuid(), (start, end, id) => {
        const patient = aPatient({ id });
        const context = aContext({ patient, keys: patientKeys(KEY, id) });
        const source = anEncounter({ subject: { reference: `Patient/${id}` }, period: { start, end } });
        const period = copyOf(source, context).period ?? {};
        expect(Date.parse(period.end ?? '') - Date.parse(period.start ?? '')).toBe(Date.parse(end) - Date.parse(start));
        expect(period.start).not.toBe(start);
      })
    );
  });
});

describe.each(['pseudonymised', 'safe-harbor'] as const)('under %s', (profile) => {
  const contextOf = (id: string): DeidContext => {
    const patient = aPatient({ id });
    const keys = profile === 'safe-harbor' ? crosswalkKeys(CROSSWALK, id) : patientKeys(KEY, id);
    return aContext({ profile, patient, keys, replicated: new Set([`Patient/${id}`, 'Encounter/e-1']) });
  };
  const own = (resource: object, id: string): object =>
    JSON.parse(JSON.stringify(resource).replaceAll(ID, id)) as object;

  it('the order of patients and of their records means nothing', () => {
    const all = ['p-1', 'p-2', 'p-3'].flatMap((id) =>
      Object.values(RICH).map((resource) => ({ id, resource: own(resource, id) }))
    );
    const made = (list: typeof all): Map<string, string> => {
      const contexts = new Map(list.map(({ id }) => [id, contextOf(id)]));
      return new Map(
        list.map(({ id, resource }) => [
          `${id} ${(resource as { resourceType: string }).resourceType}`,
          JSON.stringify(copyOf(resource as never, contexts.get(id) as DeidContext)),
        ])
      );
    };
    const once = made(all);
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 1 }), (some) => {
        for (const [name, copy] of made(some)) expect(copy).toBe(once.get(name));
      }),
      { numRuns: 20 }
    );
  });

  it('every reference to a record names the token that the record has', () => {
    const context = contextOf('p-1');
    for (const type of Object.keys(RICH)) {
      if (['Patient', 'Practitioner', 'Organization', 'Location'].includes(type)) continue;
      const record = own({ ...RICH[type], id: 'r-9' }, 'p-1');
      const token = (copyOf(record as never, context) as { identifier?: { value?: string }[] }).identifier?.[0]?.value;
      const document = { ...BASES['DocumentReference']?.(), context: { related: [{ reference: `${type}/r-9` }] } };
      expect(JSON.stringify(copyOf(own(document, 'p-1') as never, context)), type).toContain(String(token));
    }
  });

  it('a copy de-identified again says nothing new', () => {
    for (const [type, resource] of Object.entries(RICH)) {
      const copy = copyOf(own(resource, 'p-1') as never, contextOf('p-1')) as unknown as Record<string, unknown>;
      const again = deidentify(
        {
          ...copy,
          id: type === 'Patient' ? 'p-1' : 'r-9',
          subject: { reference: 'Patient/p-1' },
          patient: { reference: 'Patient/p-1' },
        } as never,
        contextOf('p-1')
      );
      // Either there is nothing left to take away, or it is refused; never is there more.
      if (!again.ok) continue;
      const known = new Set(stringsOf(copy));
      const text = stringsOf(
        transform(
          { ...copy, id: 'p-1', subject: { reference: 'Patient/p-1' }, patient: { reference: 'Patient/p-1' } } as never,
          contextOf('p-1')
        )
      );
      expect(
        text.filter((each) => !known.has(each) && !/_[b-x]{32}$/.test(each) && !/^\d{4}/.test(each)),
        type
      ).toEqual([]);
    }
  });

  it('a patient who turns ninety has another digest, and no year', () => {
    const patient = aPatient({ birthDate: '1936-11-25' });
    const on = (at: string): Patient => copyOf(patient, { ...contextOf(ID), patient, at });
    expect(on('2026-11-22T00:00:00Z').birthDate).toBe(profile === 'safe-harbor' ? '1936' : '1935');
    expect(on('2026-11-23T23:59:59Z')).toEqual(on('2026-11-22T00:00:00Z'));
    expect(on('2026-11-25T00:00:00Z')).toMatchObject({ _birthDate: masked() });
    expect(on('2026-11-25T00:00:00Z')).not.toHaveProperty('birthDate');
    expect(on('2026-11-25T00:00:00Z').meta?.tag).not.toEqual(on('2026-11-22T00:00:00Z').meta?.tag);
  });
});

describe('narrowing', () => {
  const narrow = [
    'Patient.birthDate',
    'Patient.address',
    'Patient.communication',
    'Patient.maritalStatus',
    'Encounter.reasonCode',
    'Observation.component',
  ];

  it('drops what it names and nothing else', () => {
    const whole = copyOf(aPatient(), safeHarbor()) as unknown as Record<string, unknown>;
    const less = copyOf(aPatient(), safeHarbor({ narrow })) as unknown as Record<string, unknown>;
    expect(
      Object.keys(whole)
        .filter((name) => !(name in less))
        .sort()
    ).toEqual(['address', 'birthDate', 'communication', 'maritalStatus']);
    expect(copyOf(RICH['Encounter'] as never, aContext({ narrow }))).not.toHaveProperty('reasonCode');
    expect(copyOf(RICH['Observation'] as never, aContext({ narrow }))).not.toHaveProperty('component');
  });

  it('is part of the name of the policy, in whatever order it is said', () => {
    const name = (list: readonly string[]): string => policyVersion({ profile: 'pseudonymised', narrow: list });
    expect(name(narrow)).toBe(name(narrow.toReversed()));
    expect(new Set([name([]), name(narrow), name(narrow.slice(1))]).size).toBe(3);
    expect(name([])).toBe(policyVersion({ profile: 'pseudonymised' }));
  });

  it('is validated at build, and cannot widen', () => {
    const problems = (...paths: string[]): string[] => policyProblems({ profile: 'pseudonymised', narrow: paths });
    expect(problems(...narrow)).toEqual([]);
    expect(problems('Patient.telecom')).toEqual(['policy.narrow: Patient.telecom does not leave anyway']);
    expect(problems('Patient.invented')).toEqual([
      'policy.narrow: Patient.invented is no element of a type that is de-identified',
    ]);
    expect(problems('constructor.name')).toHaveLength(1);
    for (const path of [
      'Encounter.status',
      'Encounter.class',
      'Immunization.occurrenceDateTime',
      'Observation.subject',
      'Patient.identifier',
      'Patient.name',
    ])
      expect(problems(path)).toEqual([`policy.narrow: ${path} is required in a copy`]);
    expect(policyProblems({ profile: 'safe-harbor' })).toEqual([]);
    expect(policyProblems({ profile: 'none' })).toEqual([
      'policy.profile is "none"; there are pseudonymised and safe-harbor',
    ]);
  });

  it('of the manifest is valid', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../../bots.config.json', import.meta.url), 'utf8')) as {
      policy: { profile: string; narrow?: string[] };
    };
    expect(policyProblems(manifest.policy)).toEqual([]);
  });
});

it('leaves out a stub’s place below the state', () => {
  expect(copyOf(RICH['Organization'] as never)).toMatchObject({ address: [{ state: 'MA' }] });
  expect(copyOf(RICH['Location'] as never)).toMatchObject({ address: { state: 'MA' } });
  expect(SYSTEMS.resourceToken).toBe(
    (copyOf(RICH['Practitioner'] as never) as { identifier?: { system?: string }[] }).identifier?.[0]?.system
  );
});
