import type { Encounter, Observation, Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import type { Accepted } from '../../scripts/demo/accept.ts';
import { link } from '../../scripts/demo/link.ts';

const entry = (input: number, index: number, resource: object, fullUrl?: string): Accepted => ({
  input,
  index,
  ...(fullUrl && { fullUrl }),
  resource: resource as Resource,
});

function linked(...accepted: Accepted[]): { resources: Resource[]; repeated: number } {
  let next = 0;
  const result = link(accepted, () => `new-${++next}`);
  return { resources: result.linked.map(({ resource }) => resource), repeated: result.repeated };
}

const subject = (resource: Resource | undefined): unknown => (resource as Observation).subject;

describe('references', () => {
  test('by urn:uuid lead to the new ids, forwards and backwards', () => {
    const { resources } = linked(
      entry(
        1,
        1,
        { resourceType: 'Observation', id: 'o', subject: { reference: 'urn:uuid:p', display: 'x' } },
        'urn:uuid:o'
      ),
      entry(1, 2, { resourceType: 'Patient', id: 'p', link: [{ other: { reference: 'urn:uuid:o' } }] }, 'urn:uuid:p')
    );
    expect(resources).toEqual([
      { resourceType: 'Observation', id: 'new-1', subject: { reference: 'Patient/new-2', display: 'x' } },
      { resourceType: 'Patient', id: 'new-2', link: [{ other: { reference: 'Observation/new-1' } }] },
    ]);
  });

  test('in circles are no difficulty', () => {
    const { resources } = linked(
      entry(1, 1, { resourceType: 'Encounter', diagnosis: [{ condition: { reference: 'urn:uuid:c' } }] }, 'urn:uuid:e'),
      entry(1, 2, { resourceType: 'Condition', encounter: { reference: 'urn:uuid:e' } }, 'urn:uuid:c')
    );
    expect((resources[0] as Encounter).diagnosis).toEqual([{ condition: { reference: 'Condition/new-2' } }]);
    expect(resources[1]).toMatchObject({ encounter: { reference: 'Encounter/new-1' } });
  });

  test.each(['Patient/1', 'Patient/1/_history/2', 'http://server/fhir/Patient/1'])(
    '%s leads to an entry of that address',
    (reference) => {
      const { resources } = linked(
        entry(1, 1, { resourceType: 'Patient', id: '1' }, 'http://server/fhir/Patient/1'),
        entry(1, 2, { resourceType: 'Observation', subject: { reference } })
      );
      expect(subject(resources[1])).toEqual({ reference: 'Patient/new-1' });
    }
  );

  test('by type and id prefer their own input, and reach another only if it is the only one', () => {
    const observation = { resourceType: 'Observation', subject: { reference: 'Patient/1' } };
    const one = entry(1, 1, { resourceType: 'Patient', id: '1' });
    const two = entry(2, 1, { resourceType: 'Patient', id: '1', gender: 'male' });
    expect(subject(linked(one, two, entry(2, 2, observation)).resources[2])).toEqual({ reference: 'Patient/new-2' });
    expect(subject(linked(one, entry(3, 1, observation)).resources[1])).toEqual({ reference: 'Patient/new-1' });
    expect(subject(linked(one, two, entry(3, 1, observation)).resources[2])).toEqual({ reference: 'Patient/1' });
  });

  test('that are conditional lead to what the input has, and become an identifier when it has nothing', () => {
    const reference = 'Practitioner?identifier=http://npi|99';
    const observation = entry(1, 1, { resourceType: 'Observation', performer: [{ reference, display: 'Dr. X' }] });
    const practitioner = entry(1, 2, {
      resourceType: 'Practitioner',
      identifier: [{ system: 'http://npi', value: '99' }],
    });
    expect(linked(observation, practitioner).resources[0]).toMatchObject({
      performer: [{ reference: 'Practitioner/new-2' }],
    });
    expect(linked(observation).resources[0]).toEqual({
      resourceType: 'Observation',
      id: 'new-1',
      performer: [{ identifier: { system: 'http://npi', value: '99' }, type: 'Practitioner', display: 'Dr. X' }],
    });
  });

  test('into the resource itself stay as they are', () => {
    const { resources } = linked(
      entry(1, 1, {
        resourceType: 'Claim',
        contained: [{ resourceType: 'Coverage', id: 'c' }],
        insurance: [{ coverage: { reference: '#c' } }],
      })
    );
    expect(resources[0]).toMatchObject({ contained: [{ id: 'c' }], insurance: [{ coverage: { reference: '#c' } }] });
  });
});

describe('a resource', () => {
  test('that occurs again is the first one', () => {
    const hospital = { resourceType: 'Organization', id: 'h', name: 'H' };
    const { resources, repeated } = linked(
      entry(1, 1, hospital, 'urn:uuid:h'),
      entry(2, 1, hospital, 'urn:uuid:h'),
      entry(2, 2, { resourceType: 'Observation', subject: { reference: 'urn:uuid:h' } })
    );
    expect(repeated).toBe(1);
    expect(resources).toHaveLength(2);
    expect(subject(resources[1])).toEqual({ reference: 'Organization/new-1' });
  });

  test('keeps profiles, tags and labels, and loses its version', () => {
    const meta = { versionId: '3', lastUpdated: '2020-01-01T00:00:00Z', security: [{ code: 'R' }] };
    expect(linked(entry(1, 1, { resourceType: 'Patient', meta })).resources[0]?.meta).toEqual({
      security: [{ code: 'R' }],
    });
  });
});
