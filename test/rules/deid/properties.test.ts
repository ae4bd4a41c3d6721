import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { open } from '../../../src/fhir/sealed.ts';
import { canonical } from '../../../src/fhir/canonical.ts';
import { deidentify, transform } from '../../../src/rules/deid/deidentify.ts';
import { KEEP_LISTS } from '../../../src/rules/deid/keep-list.ts';
import { CODE_SYSTEMS } from '../../../src/rules/deid/tables.generated.ts';
import {
  aContext,
  anEncounter,
  anObservation,
  aPatient,
  BASES,
  copyOf,
  HL7,
  refusalOf,
  stringsOf,
  SYSTEMS,
} from './support.ts';

/** Threat: an element that nobody thought of carries text out. */
describe('whatever JSON stands at whatever property', () => {
  const names = [
    ...new Set(Object.values(KEEP_LISTS).flatMap((list) => Object.keys(list).flatMap((path) => path.split('.')))),
  ];
  const keys = fc.oneof(
    fc.constantFrom(
      ...names,
      'coding',
      'system',
      'code',
      'value',
      'unit',
      'start',
      'end',
      'low',
      'high',
      'reference',
      'identifier',
      'extension',
      '__proto__',
      'constructor',
      'toString',
      'text',
      'display'
    ),
    fc.string()
  );
  const leaves = fc.oneof(
    fc.string().map((text) => `leak:${text}`),
    fc.constantFrom(
      'http://loinc.org',
      '8302-2',
      'http://snomed.info/sct',
      'final',
      'cm',
      '2019-01-01',
      'Encounter/e-1',
      'Patient/other'
    ),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null)
  );
  const json = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaves,
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(keys, tie('any'), { maxKeys: 4 })
    ),
  })).any;
  const bases = fc.constantFrom<() => object>(...Object.values(BASES));

  it('the transform neither throws nor lets a string out, and the residue check agrees', () => {
    fc.assert(
      fc.property(bases, fc.dictionary(keys, json, { maxKeys: 8 }), (base, extra) => {
        const source = {
          ...extra,
          ...base(),
          ...Object.fromEntries(
            Object.entries(extra).filter(
              ([name]) => !['id', 'resourceType', 'subject', 'patient', 'status', 'intent', 'birthDate'].includes(name)
            )
          ),
        };
        const result = deidentify(source as never, aContext());
        if (!result.ok) {
          expect(result.reason).not.toMatch(/^residue/);
          return;
        }
        expect(JSON.stringify(open(result.sealed))).not.toContain('leak:');
      }),
      { numRuns: 1500 }
    );
  });

  it('every string of a copy is ours, a code, a unit or a shifted date', () => {
    const systems = new Set([
      ...Object.keys(CODE_SYSTEMS).map((name) => name.replace('@', HL7)),
      'http://unitsofmeasure.org',
      'urn:ietf:bcp:47',
      'http://hl7.org/fhir/StructureDefinition/data-absent-reason',
      SYSTEMS.patientToken,
      SYSTEMS.resourceToken,
      SYSTEMS.digest,
      'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
    ]);
    const context = aContext();
    const shape =
      /^(?:[a-z]{2,3}_[bcdfghjkmpqrtvwx]{32}|(?:Patient|Encounter)\?identifier=https:\/\/holilabs\.xyz\/[a-z/-]+\|[a-z]{2,3}_[a-z]{32}|p\d+p[0-9a-f]{8}\.k\d+\.[a-z]{32}|[A-Za-z0-9.<>/%[\]*{}^-]{1,20}|\d{4}-\d\d-\d\dT[\d:.]+Z|Patient \[[A-Z]{3}\]|\*\*\*)$/;
    for (const source of [aPatient(), anEncounter(), anObservation()]) {
      for (const text of stringsOf(copyOf<never>(source as never, context)))
        expect(systems.has(text) || shape.test(text), text).toBe(true);
    }
  });
});

/** Threat: input made to break the code rather than to pass it. */
describe('hostile input', () => {
  const prototype = (): unknown => ({});

  it('with prototype keys changes nothing and leaves no trace', () => {
    const hostile = JSON.parse(
      `{"__proto__":{"status":"final","polluted":"leak"},"constructor":{"prototype":{"polluted":"leak"}},"hasOwnProperty":"leak","resourceType":"Observation","id":"o-1"}`
    ) as object;
    const source = Object.assign(Object.create(null) as object, anObservation(), {
      component: [hostile],
      referenceRange: [hostile],
    });
    expect(JSON.stringify(copyOf(source as never))).not.toContain('leak');
    expect((prototype() as { polluted?: string }).polluted).toBeUndefined();
  });

  it('inherited properties do not count', () => {
    const source = Object.create(anObservation()) as object;
    expect(
      refusalOf(Object.assign(source, { resourceType: 'Observation', id: 'o-1', subject: anObservation().subject }))
    ).toBe('required-element');
  });

  it.each([
    [
      'a string where an object belongs',
      { code: 'Quillfeather', period: 'x', valueQuantity: 'x', encounter: 'Encounter/e-1' },
    ],
    ['an object where a list belongs', { category: { coding: [] }, component: { code: {} } }],
    [
      'a list where an object belongs',
      { code: [{ coding: [] }], valueQuantity: [{ value: 1 }], effectiveDateTime: ['2019-01-01'] },
    ],
    ['lists in lists', { category: [[{ coding: [[]] }]], component: [[]] }],
    [
      'null everywhere',
      {
        code: null,
        category: [null],
        component: [null],
        valueQuantity: { value: null },
        encounter: null,
        effectiveDateTime: null,
      },
    ],
    ['numbers too large', { valueQuantity: { value: Infinity }, valueInteger: 1e20 }],
    ['numbers as text', { valueQuantity: { value: '5551234' }, valueInteger: '1' }],
    ['booleans as text', { valueBoolean: 'Quillfeather' }],
  ])('%s is absent from the copy', (_name, bad) => {
    const { valueQuantity: _, ...rest } = anObservation();
    const copy = copyOf({ ...rest, ...bad } as never) as Record<string, unknown>;
    for (const name of Object.keys(bad).filter((each) => each !== 'code')) expect(copy).not.toHaveProperty(name);
    expect(JSON.stringify(copy)).not.toContain('Quillfeather');
  });

  it('of great depth and 10 MB does not end the stack', () => {
    const deep = JSON.parse(`${'{"a":['.repeat(3000)}1${']}'.repeat(3000)}`) as unknown;
    let list: unknown = 'leak';
    for (let i = 0; i < 200_000; i += 1) list = [list];
    const wide = 'x'.repeat(10_000_000);
    const source = {
      ...anObservation(),
      contained: [deep, list],
      unknown: list,
      valueString: wide,
      note: [{ text: wide }],
      component: [list],
      category: list,
    };
    const { valueQuantity: _, ...rest } = source;
    expect(JSON.stringify(copyOf(rest as never))).not.toContain('leak');
  });

  it('a Patient with deep or long facts is still swept', () => {
    let extension: object = { url: 'x', valueString: 'Deepname' };
    for (let i = 0; i < 5000; i += 1) extension = { url: 'x', extension: [extension] };
    const patient = aPatient({ extension: [extension as never] });
    expect(refusalOf(patient, aContext({ patient }))).toBeUndefined();
  });

  it('is never changed', () => {
    const source = anObservation();
    const before = JSON.stringify(source);
    copyOf(source);
    expect(JSON.stringify(source)).toBe(before);
  });
});

describe('canonical JSON', () => {
  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const shuffle = (v: unknown): unknown =>
          Array.isArray(v)
            ? v.map(shuffle)
            : typeof v === 'object' && v !== null
              ? Object.fromEntries(
                  Object.entries(v)
                    .reverse()
                    .map(([k, x]) => [k, shuffle(x)])
                )
              : v;
        expect(canonical(shuffle(value))).toBe(canonical(value));
        expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
      })
    );
  });

  it('is that of RFC 8785 §3.2.3', () => {
    expect(
      canonical({
        '\u20ac': 'Euro Sign',
        '\r': 'Carriage Return',
        '1': 'One',
        '\u0080': 'Control',
        ö: 1e21,
        a: [1.0, -0, null, true, 'q"\\\u000f'],
      })
    ).toBe(
      '{"\\r":"Carriage Return","1":"One","a":[1,0,null,true,"q\\"\\\\\\u000f"],"\u0080":"Control","ö":1e+21,"€":"Euro Sign"}'
    );
  });

  it('refuses what JSON cannot say', () => {
    expect(() => canonical({ a: NaN })).toThrow(RangeError);
    expect(() => canonical(() => 1)).toThrow(RangeError);
    let deep: unknown = 1;
    for (let i = 0; i < 300; i += 1) deep = [deep];
    expect(() => canonical(deep)).toThrow('too deep');
  });
});

it('a transform is a function of its arguments', () => {
  expect(transform(anObservation(), aContext())).toEqual(transform(anObservation(), aContext()));
});
