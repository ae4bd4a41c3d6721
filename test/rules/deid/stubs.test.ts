import type { Encounter, Observation, Practitioner, Procedure } from '@medplum/fhirtypes';
import { describe, expect, it } from 'vitest';
import { policyProblems } from '../../../scripts/build/policy-problems.ts';
import { compileStubs, Lists } from '../../../scripts/build/deid-tables.ts';
import manifest from '../../../bots.config.json' with { type: 'json' };
import { withStubs } from '../../../scripts/deploy/manifest.ts';
import { open } from '../../../src/fhir/sealed.ts';
import { masked } from '../../../src/rules/deid/codings.ts';
import { deidentify, deidentifyStub } from '../../../src/rules/deid/deidentify.ts';
import type { DeidContext } from '../../../src/rules/deid/deidentify.ts';
import { patientKeys, stubKeys } from '../../../src/rules/deid/keys.ts';
import { residue } from '../../../src/rules/deid/residue.ts';
import { TABLES_HASH } from '../../../src/rules/deid/tables.generated.ts';
import { factsOf } from '../../../src/rules/deid/sweep.ts';
import { aContext, anEncounter, anObservation, aPatient, copyOf, KEY, SYSTEMS } from './support.ts';

const keys = stubKeys(KEY);
const withTypes = (...types: string[]): DeidContext => aContext({ stubs: { types: new Set(types), keys } });
const referTo = (type: string, id: string): string =>
  `${type}?identifier=${SYSTEMS.resourceToken}|${keys.token(type, id)}`;
const encounter = anEncounter({
  serviceProvider: { reference: 'Organization/o', display: 'Larkspur Clinic' },
  participant: [{ individual: { reference: 'Practitioner/p', display: 'Dr. Who' } }],
  location: [{ location: { reference: 'Location/l' }, status: 'completed' }],
});

describe('references', () => {
  it('name stubs of the types that have them, and no others', () => {
    const copy = copyOf<Encounter>(encounter, withTypes('Practitioner', 'Location'));
    expect(copy.participant).toEqual([{ individual: { reference: referTo('Practitioner', 'p') } }]);
    expect(copy.location).toEqual([{ location: { reference: referTo('Location', 'l') }, status: 'completed' }]);
    expect(copy.serviceProvider).toBeUndefined();
  });

  it('are told, each once, so that the stubs can go along', () => {
    const performer = [
      { reference: 'Practitioner/p' },
      { reference: 'Practitioner/p' },
      { reference: 'Organization/o' },
    ];
    const result = deidentify(anObservation({ performer }), withTypes('Practitioner', 'Organization'));
    expect(result.ok && result.stubs).toEqual([
      { type: 'Practitioner', id: 'p' },
      { type: 'Organization', id: 'o' },
    ]);
  });

  it.each([
    'https://other.example/Practitioner/p',
    'Practitioner?identifier=npi|1962845077',
    '#p',
    'urn:uuid:0b7c1d3e-1111-4222-8333-a1b2c3d4e5f6',
    'Patient/x',
    'RelatedPerson/r',
    'PractitionerRole/r',
  ])('are dropped when they are %s', (reference) => {
    const copy = copyOf<Observation>(anObservation({ performer: [{ reference }] }), withTypes('Practitioner'));
    expect(copy.performer).toBeUndefined();
  });

  it('make a node only where the reference that it needs is kept', () => {
    const procedure: Procedure = {
      resourceType: 'Procedure',
      id: 'r-1',
      status: 'completed',
      subject: { reference: `Patient/${aPatient().id}` },
      performer: [{ actor: { reference: 'Practitioner/p' } }, { actor: { reference: 'Device/d' } }],
    };
    expect(copyOf<Procedure>(procedure, withTypes('Practitioner')).performer).toEqual([
      { actor: { reference: referTo('Practitioner', 'p') } },
    ]);
    expect(copyOf<Procedure>(procedure, withTypes('Location')).performer).toBeUndefined();
  });

  it('can be narrowed away', () => {
    const context = { ...withTypes('Practitioner', 'Organization'), narrow: ['Encounter.participant'] };
    const copy = copyOf<Encounter>(encounter, context);
    expect([copy.participant, copy.serviceProvider !== undefined]).toEqual([undefined, true]);
  });

  it('do not leave without stubs, and the digest is what it was', () => {
    const copy = copyOf<Encounter>(encounter);
    expect(JSON.stringify(copy)).not.toMatch(/serviceProvider|individual|Location/);
    expect(copy.location).toEqual([{ location: masked(), status: 'completed' }]);
    const digest = (each: Encounter): string => each.meta?.tag?.[0]?.code?.split('.')[0] ?? '';
    expect(digest(copy)).toBe(`p1p${TABLES_HASH}`);
    expect(digest(copyOf(encounter, withTypes('Location')))).not.toBe(
      digest(copyOf(encounter, withTypes('Practitioner')))
    );
  });

  it('share no token with those under the keys of a patient', () => {
    expect(patientKeys(KEY, '').token('Practitioner', 'p')).not.toBe(keys.token('Practitioner', 'p'));
  });
});

describe('residue', () => {
  const hit = (output: object, hasStubs: boolean): string | undefined =>
    residue(
      { resourceType: 'Observation', ...output },
      { ...aContext(), facts: factsOf(aPatient()), source: anObservation(), hasStubs }
    );
  const right = { performer: [{ reference: referTo('Practitioner', 'p') }] };

  it('lets references to stubs pass where there are stubs', () => {
    expect([hit(right, true), hit(right, false)]).toEqual([undefined, 'residue-element']);
  });

  it.each([
    [{ performer: 'Dr. Who' }],
    [{ performer: ['Dr. Who'] }],
    [{ performer: [{ display: 'Dr. Who' }] }],
    [{ performer: [{ reference: 'Practitioner/p' }] }],
    [
      {
        performer: [
          { reference: `Organization?identifier=${SYSTEMS.resourceToken}|${keys.token('Practitioner', 'p')}` },
        ],
      },
    ],
    [{ performer: [{ reference: 'Practitioner?identifier=npi|1962845077' }] }],
  ])('finds %j', (output) => {
    expect(hit(output, true)).toMatch(/^residue-/);
  });
});

describe('a stub', () => {
  const doctor: Practitioner = {
    resourceType: 'Practitioner',
    id: 'p',
    name: [{ family: 'Allopath' }],
    address: [{ state: 'MA', city: 'Everett' }],
    qualification: [{ code: { coding: [{ system: 'http://nucc.org/provider-taxonomy', code: '207R00000X' }] } }],
  };
  const context = { keys, systems: SYSTEMS, profile: 'pseudonymised', at: '2026-11-21T12:00:00Z' } as const;

  it('tells kind and state', () => {
    const result = deidentifyStub(doctor, context);
    const { meta: _meta, ...copy } = result.ok ? open(result.sealed) : {};
    expect(copy).toEqual({
      resourceType: 'Practitioner',
      identifier: [{ system: SYSTEMS.resourceToken, value: keys.token('Practitioner', 'p') }],
      qualification: [{ code: { coding: [{ system: 'http://nucc.org/provider-taxonomy', code: '207R00000X' }] } }],
      address: [{ state: 'MA' }],
    });
  });

  it('is refused when one of its own identifiers would leave', () => {
    const coded = { ...doctor, identifier: [{ system: 'urn:npi', value: '207R00000X' }] };
    expect(deidentifyStub(coded, context)).toEqual({ ok: false, reason: 'residue-sweep' });
  });

  it('has no state when that is narrowed away', () => {
    const result = deidentifyStub(doctor, { ...context, narrow: ['Practitioner.address'] });
    expect(result.ok && open(result.sealed)).not.toHaveProperty('address');
  });
});

describe('the manifest', () => {
  const types = { ...manifest.policy.types, Practitioner: { replicate: false, stub: true } };

  it('has no stubs as delivered, and none in safe-harbor', () => {
    expect(Object.values(manifest.policy.types).filter((row) => 'stub' in row && row.stub)).toEqual([]);
    expect(policyProblems({ ...manifest.policy, types })).toEqual([]);
    expect(policyProblems({ ...manifest.policy, types, profile: 'safe-harbor' })).toEqual([
      'policy.types: no stubs (Practitioner) in safe-harbor',
    ]);
    expect(policyProblems({ ...manifest.policy, types: { Device: { replicate: false, stub: true } } })).toEqual([
      'policy.types: there are no stubs of Device',
    ]);
  });

  it('gives the right to read them to the bots that make copies', () => {
    const readers = withStubs(manifest as never, ['Practitioner']).bots.filter(({ access }) =>
      access.some(({ resourceType, interaction }) => resourceType === 'Practitioner' && interaction.includes('search'))
    );
    expect(readers.map(({ name }) => name)).toEqual([
      'sync-change',
      'consent-changed',
      'retry-jobs',
      'sweep',
      'reconcile',
    ]);
  });

  it.each(['Observation.device', 'Observation.subject', 'Observation.nothing', 'Encounter.reasonReference'])(
    'cannot let %s refer to a stub',
    (path) => {
      expect(() => compileStubs(path.split('.')[0] ?? '', [path], new Lists())).toThrow(
        `${path} cannot refer to a stub`
      );
    }
  );
});
